//! Messages compressed as RFC 7692 has it, each by itself, with a DEFLATE that no server uses.

use miniz_oxide::deflate::core::{CompressorOxide, create_comp_flags_from_zip_params};
use miniz_oxide::deflate::stream::deflate;
use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::inflate_flags::TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF;
use miniz_oxide::inflate::core::{DecompressorOxide, decompress};
use miniz_oxide::{MZFlush, MZStatus};

/// What ends every compressed message and does not travel (section 7.2.1).
const TAIL: [u8; 4] = [0, 0, 0xff, 0xff];

/// What browsers use.
const LEVEL: i32 = 6;

/// The payload of a compressed message.
pub(crate) fn compress(message: &[u8]) -> Vec<u8> {
    // A negative window is one of 32 KiB without a header.
    let flags = create_comp_flags_from_zip_params(LEVEL, -15, 0);
    let mut compressor = CompressorOxide::new(flags);
    let mut out = vec![0; message.len() + message.len() / 8 + 64];
    let result = deflate(&mut compressor, message, &mut out, MZFlush::Sync);
    assert_eq!(
        (result.status, result.bytes_consumed),
        (Ok(MZStatus::Ok), message.len())
    );
    out.truncate(result.bytes_written);
    assert!(out.ends_with(&TAIL));
    out.truncate(out.len() - TAIL.len());
    out
}

/// Decompresses messages that stand by themselves.
#[derive(Default)]
pub(crate) struct Inflater {
    state: Box<DecompressorOxide>,
    input: Vec<u8>,
    output: Vec<u8>,
}

impl Inflater {
    /// The message in a payload, or the part of it that fits into one byte more than `size`. `None` if it is broken.
    pub(crate) fn inflate(&mut self, payload: &[u8], size: usize) -> Option<&[u8]> {
        self.input.clear();
        self.input.extend(payload);
        self.input.extend(TAIL);
        self.output.resize(size + 1, 0);
        self.state.init();
        let (status, _, length) = decompress(
            &mut self.state,
            &self.input,
            &mut self.output,
            0,
            TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF,
        );
        // The end of the input is always that of an empty block; who says that more comes, or that a block is the last,
        // has said all. What is missing is found when the texts are compared.
        let is_readable = matches!(
            status,
            TINFLStatus::Done
                | TINFLStatus::HasMoreOutput
                | TINFLStatus::NeedsMoreInput
                | TINFLStatus::FailedCannotMakeProgress
        );
        is_readable.then(|| &self.output[..length])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7692, section 7.2.3.
    #[test]
    fn inflates_the_examples_of_the_rfc() {
        let mut inflater = Inflater::default();
        for payload in [
            &[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00][..],
            // In two blocks, in a block that is not compressed, and in one that says it is the last.
            &[
                0xf2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xff, 0xff, 0xca, 0xc9, 0xc9, 0x07, 0x00,
            ],
            &[
                0x00, 0x05, 0x00, 0xfa, 0xff, 0x48, 0x65, 0x6c, 0x6c, 0x6f, 0x00,
            ],
            &[0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00],
        ] {
            assert_eq!(inflater.inflate(payload, 5), Some(&b"Hello"[..]));
        }
    }

    #[test]
    fn inflates_what_it_compresses_up_to_the_size() {
        let mut random = fastrand::Rng::with_seed(3);
        let message = crate::json::text(&mut random, 0, 20_000);
        let payload = compress(&message);
        assert!(payload.len() < 10_000);
        let mut inflater = Inflater::default();
        assert_eq!(inflater.inflate(&payload, 20_000), Some(&message[..]));
        assert_eq!(inflater.inflate(&payload, 99), Some(&message[..100]));
    }

    #[test]
    fn notices_what_is_broken() {
        let mut inflater = Inflater::default();
        // A block of a type that does not exist, and a reference to what stands before the message.
        for payload in [[0xff, 0xff], [0x03, 0x02]] {
            assert_eq!(inflater.inflate(&payload, 5), None, "{payload:?}");
        }
    }
}
