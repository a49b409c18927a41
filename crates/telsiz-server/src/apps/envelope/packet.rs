//! What a sensor packs into 16 bytes: two big-endian `f32`, one big-endian `i64`.

use std::fmt;

use schemars::JsonSchema;
use serde::Serialize;

/// What a sensor has packed.
#[derive(Debug, PartialEq, Serialize, JsonSchema)]
pub(super) struct Packet {
    temp: f32,
    humidity: f32,
    unit: &'static str,
    /// Milliseconds since 1970.
    ts: i64,
}

/// Why a binary message is no packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoPacket {
    /// It has another length.
    Length,
    /// A number is none, or infinite.
    NotFinite,
}

impl Packet {
    /// Reads a binary message.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, NoPacket> {
        let bytes: &[u8; 16] = bytes.try_into().map_err(|_| NoPacket::Length)?;
        let [t0, t1, t2, t3, h0, h1, h2, h3, ts @ ..] = *bytes;
        let (temp, humidity) = (
            f32::from_be_bytes([t0, t1, t2, t3]),
            f32::from_be_bytes([h0, h1, h2, h3]),
        );
        // JSON has no such numbers.
        if !temp.is_finite() || !humidity.is_finite() {
            return Err(NoPacket::NotFinite);
        }
        Ok(Self {
            temp,
            humidity,
            unit: "C",
            ts: i64::from_be_bytes(ts),
        })
    }
}

impl fmt::Display for NoPacket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Length => "Invalid packet: expected 16 bytes",
            Self::NotFinite => "Invalid packet: expected two finite numbers",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packed(temp: f32, humidity: f32, ts: i64) -> Vec<u8> {
        let numbers = [temp.to_be_bytes(), humidity.to_be_bytes()].concat();
        [numbers, ts.to_be_bytes().to_vec()].concat()
    }

    fn json(bytes: &[u8]) -> String {
        serde_json::to_string(&Packet::read(bytes).expect("a packet")).expect("JSON")
    }

    #[test]
    fn numbers_are_the_shortest_that_read_back_as_the_same() {
        for (temp, told) in [
            (21.1, "21.1"),
            (0.1, "0.1"),
            (-40.0, "-40.0"),
            (1.0 / 3.0, "0.33333334"),
        ] {
            let expected =
                format!(r#"{{"temp":{told},"humidity":55.5,"unit":"C","ts":1714557600000}}"#);
            assert_eq!(json(&packed(temp, 55.5, 1_714_557_600_000)), expected);
        }
        for bits in (0..f32::MAX.to_bits()).step_by(7_919_113) {
            let temp = f32::from_bits(bits);
            let told: serde_json::Value =
                serde_json::from_str(&json(&packed(temp, 0.0, -1))).expect("JSON");
            assert_eq!(told["temp"].to_string().parse::<f32>(), Ok(temp));
            assert_eq!(told["ts"], -1);
        }
    }

    #[test]
    fn another_length_is_none() {
        for len in [0, 15, 17, 32] {
            assert_eq!(Packet::read(&vec![0; len]), Err(NoPacket::Length), "{len}");
        }
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for wrong in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            assert_eq!(
                Packet::read(&packed(wrong, 0.0, 0)),
                Err(NoPacket::NotFinite)
            );
            assert_eq!(
                Packet::read(&packed(0.0, wrong, 0)),
                Err(NoPacket::NotFinite)
            );
        }
    }
}
