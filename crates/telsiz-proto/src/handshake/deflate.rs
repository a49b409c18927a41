//! Agreeing on permessage-deflate (RFC 7692, section 7.1).

use super::extension::{Extension, Param};
use crate::deflate::{Agreement, Deflate, Window, WindowBits};

const NAME: &str = "permessage-deflate";
const SERVER_NO_TAKEOVER: &str = "server_no_context_takeover";
const CLIENT_NO_TAKEOVER: &str = "client_no_context_takeover";
const SERVER_BITS: &str = "server_max_window_bits";
const CLIENT_BITS: &str = "client_max_window_bits";

/// The parameters of an offer or of an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Params {
    server_no_takeover: bool,
    client_no_takeover: bool,
    server_bits: Option<WindowBits>,
    /// An offer may name the parameter without a value.
    client_bits: Option<Option<WindowBits>>,
}

impl Params {
    /// `None` if one is unknown, stands twice, or has a value that it must not
    /// have.
    fn new(params: &[Param]) -> Option<Self> {
        let mut all = Self::default();
        for (name, value) in params {
            let known = match (name.as_str(), value) {
                (SERVER_NO_TAKEOVER, None) => !std::mem::replace(&mut all.server_no_takeover, true),
                (CLIENT_NO_TAKEOVER, None) => !std::mem::replace(&mut all.client_no_takeover, true),
                (SERVER_BITS, Some(value)) => all.server_bits.replace(bits(value)?).is_none(),
                (CLIENT_BITS, None) => all.client_bits.replace(None).is_none(),
                (CLIENT_BITS, Some(value)) => all.client_bits.replace(Some(bits(value)?)).is_none(),
                _ => false,
            };
            if !known {
                return None;
            }
        }
        Some(all)
    }

    fn to_header(self) -> String {
        let mut header = NAME.to_owned();
        if self.server_no_takeover {
            header += &format!("; {SERVER_NO_TAKEOVER}");
        }
        if self.client_no_takeover {
            header += &format!("; {CLIENT_NO_TAKEOVER}");
        }
        if let Some(bits) = self.server_bits {
            header += &format!("; {SERVER_BITS}={bits}");
        }
        match self.client_bits {
            None => {}
            Some(None) => header += &format!("; {CLIENT_BITS}"),
            Some(Some(bits)) => header += &format!("; {CLIENT_BITS}={bits}"),
        }
        header
    }

    fn agreement(self) -> Agreement {
        let window = |bits: Option<WindowBits>, no_takeover: bool| Window {
            bits: bits.unwrap_or(WindowBits::MAX),
            takeover: !no_takeover,
        };
        Agreement {
            server: window(self.server_bits, self.server_no_takeover),
            client: window(self.client_bits.flatten(), self.client_no_takeover),
        }
    }
}

/// A number from 8 to 15 without leading zeros (section 7.1.2).
fn bits(value: &str) -> Option<WindowBits> {
    match value.as_bytes() {
        [b'8' | b'9'] | [b'1', b'0'..=b'5'] => WindowBits::new(value.parse().ok()?),
        _ => None,
    }
}

/// The answer of a server to the offers of a client: the first that it can
/// honour. An offer with a parameter that is unknown or wrong is passed over.
pub(super) fn accept(offers: &[Extension], ours: &Deflate) -> Option<(String, Agreement)> {
    let mut offers = offers.iter().filter(|offer| offer.name == NAME);
    let answer = offers.find_map(|offer| answer(Params::new(&offer.params)?, ours))?;
    Some((answer.to_header(), answer.agreement()))
}

fn answer(offer: Params, ours: &Deflate) -> Option<Params> {
    let lower = |limit: WindowBits| (limit < WindowBits::MAX).then_some(limit);
    // A client that does not say that it can be limited cannot.
    let client_bits = match (offer.client_bits, lower(ours.client_window)) {
        (None, Some(_)) => return None,
        (None, None) => None,
        (Some(hint), limit) => hint.into_iter().chain(limit).min().map(Some),
    };
    Some(Params {
        server_no_takeover: offer.server_no_takeover || !ours.server_takeover,
        client_no_takeover: offer.client_no_takeover || !ours.client_takeover,
        // Both may be smaller than what was asked for, and said unasked.
        server_bits: offer
            .server_bits
            .into_iter()
            .chain(lower(ours.server_window))
            .min(),
        client_bits,
    })
}

/// What a client offers.
pub(super) fn offer(ours: &Deflate) -> String {
    let lower = |limit: WindowBits| (limit < WindowBits::MAX).then_some(limit);
    let offer = Params {
        server_no_takeover: !ours.server_takeover,
        client_no_takeover: !ours.client_takeover,
        server_bits: lower(ours.server_window),
        client_bits: Some(lower(ours.client_window)),
    };
    offer.to_header()
}

/// The answer that a server chose, if it fits what was offered (section 7.1).
pub(super) fn verify(chosen: &Extension, ours: &Deflate) -> Option<Agreement> {
    if chosen.name != NAME {
        return None;
    }
    let params = Params::new(&chosen.params)?;
    let client_bits = match params.client_bits {
        // In an answer it needs a value.
        Some(None) => return None,
        // It is not to be named in an answer unless the offer does, as ours always
        // does.
        Some(Some(bits)) => bits,
        None => WindowBits::MAX,
    };
    // What was asked for has to be granted; less is always granted.
    let is_granted = (params.server_no_takeover || ours.server_takeover)
        && params.server_bits.unwrap_or(WindowBits::MAX) <= ours.server_window
        && (params.client_bits.is_none() || client_bits <= ours.client_window);
    let mut agreement = params.agreement();
    // We said that we would do no more than this.
    agreement.client.takeover &= ours.client_takeover;
    agreement.client.bits = agreement.client.bits.min(ours.client_window);
    is_granted.then_some(agreement)
}

#[cfg(test)]
mod tests {
    use http::header::{HeaderMap, HeaderValue, SEC_WEBSOCKET_EXTENSIONS};

    use super::*;
    use crate::handshake::extension::extensions;

    fn parse(value: &str) -> Vec<Extension> {
        let value = HeaderValue::from_str(value).expect("a header value");
        let headers = HeaderMap::from_iter([(SEC_WEBSOCKET_EXTENSIONS, value)]);
        extensions(&headers).expect("a correct header")
    }

    fn limited(server: u8, client: u8) -> Deflate {
        Deflate {
            server_takeover: true,
            client_takeover: true,
            server_window: WindowBits::new(server).expect("from 8 to 15"),
            client_window: WindowBits::new(client).expect("from 8 to 15"),
            ..Deflate::default()
        }
    }

    fn answered(offers: &str, ours: &Deflate) -> Option<String> {
        accept(&parse(offers), ours).map(|(answer, _)| answer)
    }

    #[test]
    fn a_server_answers_without_takeover_unless_told_otherwise() {
        let short = "permessage-deflate";
        let none = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";
        assert_eq!(answered(short, &Deflate::default()).as_deref(), Some(none));
        assert_eq!(answered(short, &limited(15, 15)).as_deref(), Some(short));
        assert_eq!(answered(none, &limited(15, 15)).as_deref(), Some(none));
    }

    #[test]
    fn a_server_grants_what_it_is_asked_for() {
        let takeover = limited(15, 15);
        for granted in [
            "permessage-deflate; server_no_context_takeover",
            "permessage-deflate; client_no_context_takeover",
            "permessage-deflate; server_max_window_bits=8",
            "permessage-deflate; server_max_window_bits=15",
            "permessage-deflate; client_max_window_bits=10",
        ] {
            assert_eq!(answered(granted, &takeover).as_deref(), Some(granted));
        }
        // Without a value it only says that the client can be limited.
        let hint = "permessage-deflate; client_max_window_bits";
        assert_eq!(
            answered(hint, &takeover).as_deref(),
            Some("permessage-deflate")
        );
        let limit = Some("permessage-deflate; client_max_window_bits=9");
        assert_eq!(answered(hint, &limited(15, 9)).as_deref(), limit);
        // The smaller limit counts.
        let both = "permessage-deflate; server_max_window_bits=12; client_max_window_bits=12";
        let less = "permessage-deflate; server_max_window_bits=10; client_max_window_bits=10";
        assert_eq!(answered(both, &limited(10, 10)).as_deref(), Some(less));
        assert_eq!(answered(less, &limited(12, 12)).as_deref(), Some(less));
    }

    #[test]
    fn a_server_that_has_to_limit_a_client_passes_over_one_that_cannot_be() {
        assert_eq!(answered("permessage-deflate", &limited(15, 9)), None);
    }

    #[test]
    fn the_first_offer_that_can_be_honoured_is() {
        let offers = "x; permessage-deflate, permessage-deflate; server_max_window_bits=16, \
                      permessage-deflate; server_max_window_bits=\"10\", permessage-deflate";
        let answer = Some("permessage-deflate; server_max_window_bits=10");
        assert_eq!(answered(offers, &limited(15, 15)).as_deref(), answer);
    }

    #[test]
    fn offers_with_wrong_parameters_are_passed_over() {
        for params in [
            "unknown",
            "server_no_context_takeover=1",
            "client_no_context_takeover=true",
            "server_no_context_takeover; server_no_context_takeover",
            "client_no_context_takeover; client_no_context_takeover",
            "server_max_window_bits",
            "server_max_window_bits=7",
            "server_max_window_bits=16",
            "server_max_window_bits=08",
            "server_max_window_bits=1",
            "server_max_window_bits=100",
            "server_max_window_bits=10; server_max_window_bits=10",
            "client_max_window_bits=7",
            "client_max_window_bits=x",
            "client_max_window_bits; client_max_window_bits=10",
            "Server_No_Context_Takeover",
        ] {
            let offer = format!("permessage-deflate; {params}");
            assert_eq!(answered(&offer, &Deflate::default()), None, "{params}");
        }
        assert_eq!(answered("permessage-bzip2", &Deflate::default()), None);
    }

    fn chosen(value: &str, ours: &Deflate) -> Option<Agreement> {
        verify(&parse(value)[0], ours)
    }

    #[test]
    fn a_client_accepts_what_fits_its_offer() {
        let none = "permessage-deflate; server_no_context_takeover";
        let agreement = chosen(none, &Deflate::default()).expect("as offered");
        assert!(!agreement.server.takeover);
        assert!(!agreement.client.takeover, "we said that we would not");

        let agreement = chosen("permessage-deflate", &limited(15, 15)).expect("as offered");
        assert!(agreement.server.takeover && agreement.client.takeover);
        assert_eq!(agreement.client.bits, WindowBits::MAX);

        // What the server adds on its own counts too.
        let more = "permessage-deflate; client_no_context_takeover; server_no_context_takeover; \
                    client_max_window_bits=9; server_max_window_bits=8";
        let agreement = chosen(more, &limited(15, 15)).expect("less is always granted");
        assert!(!agreement.server.takeover && !agreement.client.takeover);
        assert_eq!(agreement.client.bits.get(), 9);
        assert_eq!(agreement.server.bits.get(), 8);

        // The server need not repeat the limit that we gave ourselves.
        let agreement = chosen("permessage-deflate", &limited(15, 10)).expect("as offered");
        assert_eq!(agreement.client.bits.get(), 10);
    }

    #[test]
    fn a_client_refuses_what_does_not_fit_its_offer() {
        for (answer, ours) in [
            ("permessage-deflate", Deflate::default()),
            ("permessage-deflate", limited(10, 15)),
            (
                "permessage-deflate; server_max_window_bits=11",
                limited(10, 15),
            ),
            (
                "permessage-deflate; client_max_window_bits=11",
                limited(15, 10),
            ),
            (
                "permessage-deflate; client_max_window_bits",
                limited(15, 15),
            ),
            (
                "permessage-deflate; server_max_window_bits=7",
                limited(15, 15),
            ),
            ("permessage-deflate; unknown", limited(15, 15)),
            ("permessage-bzip2", limited(15, 15)),
        ] {
            assert_eq!(chosen(answer, &ours), None, "{answer}");
        }
    }

    #[test]
    fn what_a_client_offers_a_server_grants_and_both_understand_alike() {
        for server in 8..=15 {
            for client in 8..=15 {
                let ours = limited(server, client);
                for theirs in [limited(15, 15), limited(9, 12), Deflate::default()] {
                    let (answer, agreed) = accept(&parse(&offer(&ours)), &theirs).expect("granted");
                    assert_eq!(chosen(&answer, &ours), Some(agreed), "{answer}");
                }
            }
        }
    }
}
