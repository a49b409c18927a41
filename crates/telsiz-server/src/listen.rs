//! Where a server listens.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use tokio::net::TcpListener;

use crate::failure::Failure;

/// `HOST:PORT` as it was asked for.
#[derive(Clone, Debug)]
pub(crate) struct Listen(String);

impl FromStr for Listen {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.rsplit_once(':') {
            Some((host, port)) if !host.is_empty() && port.parse::<u16>().is_ok() => {
                Ok(Self(text.to_owned()))
            }
            _ => Err("expected HOST:PORT, such as 127.0.0.1:8000 or [::1]:8000"),
        }
    }
}

impl Listen {
    /// Starts to listen there.
    pub(crate) async fn bind(&self) -> Result<TcpListener, Failure> {
        TcpListener::bind(&self.0)
            .await
            .map_err(|error| Failure::Failed(self.explain(&error)))
    }

    fn explain(&self, error: &io::Error) -> String {
        let address = &self.0;
        let (host, port) = address.rsplit_once(':').unwrap_or((address, "8000"));
        match error.kind() {
            ErrorKind::AddrInUse => {
                let next = port
                    .parse::<u16>()
                    .map_or(8001, |port| port.wrapping_add(1));
                format!("{address} is in use: choose another port, such as --listen {host}:{next}")
            }
            ErrorKind::PermissionDenied => format!(
                "{address} may not be used: ports below 1024 need privileges, choose another with --listen {host}:8000"
            ),
            _ => format!("cannot listen on {address}: {error}; choose another with --listen"),
        }
    }
}

/// Whether only this machine can reach `ip`.
pub(crate) fn is_loopback(ip: IpAddr) -> bool {
    ip.to_canonical().is_loopback()
}

/// An address at which this machine reaches a listener bound to `address`.
pub(crate) fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(match address {
            SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
        });
    }
    address
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_takes_a_host_and_a_port() {
        for good in ["127.0.0.1:8000", "[::1]:0", "localhost:80", "0.0.0.0:65535"] {
            assert!(good.parse::<Listen>().is_ok(), "{good}");
        }
        for bad in [
            "8000",
            ":8000",
            "localhost",
            "127.0.0.1:",
            "127.0.0.1:70000",
            "",
        ] {
            assert!(bad.parse::<Listen>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_wildcard_is_reached_over_loopback() {
        for (bound, reached) in [
            ("0.0.0.0:8000", "127.0.0.1:8000"),
            ("[::]:8000", "[::1]:8000"),
            ("192.0.2.1:80", "192.0.2.1:80"),
        ] {
            let bound: SocketAddr = bound.parse().expect("an address");
            assert_eq!(reachable(bound).to_string(), reached);
        }
    }

    #[test]
    fn loopback_is_known_in_both_families() {
        for (ip, expected) in [
            ("127.0.0.1", true),
            ("127.9.9.9", true),
            ("::1", true),
            ("::ffff:127.0.0.1", true),
            ("0.0.0.0", false),
            ("192.168.1.1", false),
        ] {
            assert_eq!(
                is_loopback(ip.parse().expect("an address")),
                expected,
                "{ip}"
            );
        }
    }
}
