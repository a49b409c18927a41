//! The header of the PROXY protocol, version 2: a proxy says whose connection it passes on.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncReadExt};

/// Tells whether a peer is a proxy that begins with a header.
pub(super) type IsProxy = Arc<dyn Fn(IpAddr) -> bool + Send + Sync>;

/// What each header begins with.
const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";

/// The bytes that may follow the length. Addresses take 36 of them, of the rest nothing is kept.
const MAX_REST: u16 = 4096;

/// Reads a header and nothing behind it. Whose connection it is, 0.0.0.0 if the proxy does not know an
/// address; `None` if it speaks for itself.
pub(super) async fn read<S: AsyncRead + Unpin>(io: &mut S) -> io::Result<Option<SocketAddr>> {
    let mut head = [0; 16];
    io.read_exact(&mut head).await?;
    let [.., command, family, high, low] = head;
    let len = u16::from_be_bytes([high, low]);
    if !head.starts_with(&SIGNATURE) || len > MAX_REST {
        return Err(wrong());
    }
    let mut rest = io.take(len.into());
    let from = match (command, family) {
        // LOCAL.
        (0x20, _) => None,
        // Somebody else's, neither over IP nor anything that is known: not the proxy's own.
        (0x21, 0x00 | 0x31) => Some(SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), 0)),
        (0x21, 0x11) => Some(address::<4, 12, _>(&mut rest).await?),
        (0x21, 0x21) => Some(address::<16, 36, _>(&mut rest).await?),
        _ => return Err(wrong()),
    };
    let mut skipped = [0; 256];
    while rest.limit() > 0 {
        if rest.read(&mut skipped).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(from)
}

/// Two addresses of `IP` bytes and their ports, of which the first is asked for.
async fn address<const IP: usize, const ALL: usize, S>(io: &mut S) -> io::Result<SocketAddr>
where
    S: AsyncRead + Unpin,
    IpAddr: From<[u8; IP]>,
{
    let mut bytes = [0; ALL];
    io.read_exact(&mut bytes).await?;
    let mut ip = [0; IP];
    ip.copy_from_slice(&bytes[..IP]);
    let port = u16::from_be_bytes([bytes[2 * IP], bytes[2 * IP + 1]]);
    Ok(SocketAddr::new(ip.into(), port))
}

fn wrong() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "no PROXY header of version 2")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::net::Ipv6Addr;

    use super::*;

    /// A header with these bytes behind its length.
    fn header(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
        let len = u16::try_from(rest.len()).unwrap().to_be_bytes();
        [&SIGNATURE[..], &[command, family], &len, rest].concat()
    }

    fn v4() -> Vec<u8> {
        [&[192, 0, 2, 7, 127, 0, 0, 1][..], &[0x1f, 0x90, 0, 80]].concat()
    }

    fn v6() -> Vec<u8> {
        let from = "2001:db8::7".parse::<Ipv6Addr>().unwrap().octets();
        [&from[..], &[0; 16], &[0, 81, 0, 80]].concat()
    }

    /// What is read of `bytes`, and what is left of them.
    async fn read_from(mut bytes: &[u8]) -> (Option<Option<String>>, &[u8]) {
        let from = read(&mut bytes).await.ok();
        (from.map(|from| from.map(|from| from.to_string())), bytes)
    }

    async fn says(header: &[u8], expected: Option<&str>) {
        let with_more = [header, b"GET"].concat();
        let (from, left) = read_from(&with_more).await;
        assert_eq!(from, Some(expected.map(str::to_owned)), "{header:?}");
        assert_eq!(left, b"GET", "not a byte of what follows: {header:?}");
        for len in 0..header.len() {
            let (from, _) = read_from(&header[..len]).await;
            assert_eq!(from, None, "{len} bytes of {header:?}");
        }
    }

    async fn is_wrong(header: &[u8]) {
        let (from, _) = read_from(&[header, &[0; 5000]].concat()).await;
        assert_eq!(from, None, "{header:?}");
    }

    #[tokio::test]
    async fn it_names_the_client_in_both_families() {
        says(&header(0x21, 0x11, &v4()), Some("192.0.2.7:8080")).await;
        says(&header(0x21, 0x21, &v6()), Some("[2001:db8::7]:81")).await;
    }

    #[tokio::test]
    async fn what_stands_behind_the_addresses_is_skipped() {
        let tlvs = [3; 700];
        let rest = [&v4()[..], &tlvs].concat();
        says(&header(0x21, 0x11, &rest), Some("192.0.2.7:8080")).await;
        says(&header(0x20, 0x00, &tlvs), None).await;
    }

    #[tokio::test]
    async fn a_proxy_that_speaks_for_itself_names_nobody_and_one_that_knows_no_address_not_itself()
    {
        says(&header(0x20, 0x00, &[]), None).await;
        // LOCAL with addresses, which do not count.
        says(&header(0x20, 0x11, &v4()), None).await;
        says(&header(0x21, 0x00, &[]), Some("0.0.0.0:0")).await;
        says(&header(0x21, 0x31, &[0; 216]), Some("0.0.0.0:0")).await;
    }

    #[tokio::test]
    async fn its_length_is_bounded() {
        let rest = |len: u16| {
            let mut rest = v4();
            rest.resize(len.into(), 0);
            header(0x21, 0x11, &rest)
        };
        says(&rest(12), Some("192.0.2.7:8080")).await;
        is_wrong(&rest(11)).await;
        for len in [MAX_REST - 1, MAX_REST] {
            assert_eq!(
                read_from(&rest(len)).await.0.unwrap().unwrap(),
                "192.0.2.7:8080"
            );
        }
        is_wrong(&rest(MAX_REST + 1)).await;
    }

    #[tokio::test]
    async fn anything_else_is_none() {
        is_wrong(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
        is_wrong(b"PROXY TCP4 192.0.2.7 127.0.0.1 8080 80\r\n").await;
        is_wrong(&[0; 16]).await;
        // Version 1 in the form of 2, an unknown command, UDP.
        is_wrong(&header(0x11, 0x11, &v4())).await;
        is_wrong(&header(0x22, 0x11, &v4())).await;
        is_wrong(&header(0x21, 0x12, &v4())).await;
    }
}
