//! `Sec-WebSocket-Extensions`: a list of extensions with parameters (RFC 6455,
//! section 9.1).

use http::HeaderMap;
use http::header::SEC_WEBSOCKET_EXTENSIONS;

use super::is_token;

/// An extension that is offered or chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Extension {
    pub(super) name: String,
    pub(super) params: Vec<Param>,
}

/// A parameter of an extension: its name, and its value if it has one.
pub(super) type Param = (String, Option<String>);

/// The header does not follow its grammar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Malformed;

/// All extensions, in order: the header may stand several times.
pub(super) fn extensions(headers: &HeaderMap) -> Result<Vec<Extension>, Malformed> {
    let mut all = Vec::new();
    for value in headers.get_all(SEC_WEBSOCKET_EXTENSIONS) {
        let mut rest = Scanner(value.to_str().map_err(|_| Malformed)?);
        loop {
            // Empty elements of a list count for nothing (RFC 9110, section 5.6.1).
            while rest.take(',') {}
            if rest.is_empty() {
                break;
            }
            all.push(rest.extension()?);
            if !rest.is_empty() && !rest.take(',') {
                return Err(Malformed);
            }
        }
    }
    Ok(all)
}

/// What is left of a value.
struct Scanner<'a>(&'a str);

impl Scanner<'_> {
    fn is_empty(&mut self) -> bool {
        self.0 = self.0.trim_start_matches([' ', '\t']);
        self.0.is_empty()
    }

    /// Takes `wanted` and the blanks before it, if it is next.
    fn take(&mut self, wanted: char) -> bool {
        self.0 = self.0.trim_start_matches([' ', '\t']);
        match self.0.strip_prefix(wanted) {
            Some(rest) => {
                self.0 = rest;
                true
            }
            None => false,
        }
    }

    fn extension(&mut self) -> Result<Extension, Malformed> {
        let name = self.token()?;
        let mut params = Vec::new();
        while self.take(';') {
            let name = self.token()?;
            let value = match self.take('=') {
                true => Some(self.value()?),
                false => None,
            };
            params.push((name, value));
        }
        Ok(Extension { name, params })
    }

    fn token(&mut self) -> Result<String, Malformed> {
        self.0 = self.0.trim_start_matches([' ', '\t']);
        let end = self
            .0
            .find([' ', '\t', ',', ';', '=', '"'])
            .unwrap_or(self.0.len());
        let (token, rest) = self.0.split_at(end);
        self.0 = rest;
        match is_token(token) {
            true => Ok(token.to_owned()),
            false => Err(Malformed),
        }
    }

    /// A token, or a quoted string that is one when unquoted.
    fn value(&mut self) -> Result<String, Malformed> {
        if !self.take('"') {
            return self.token();
        }
        let mut value = String::new();
        let mut chars = self.0.chars();
        loop {
            match chars.next().ok_or(Malformed)? {
                '"' => break,
                '\\' => value.push(chars.next().ok_or(Malformed)?),
                other => value.push(other),
            }
        }
        self.0 = chars.as_str();
        match is_token(&value) {
            true => Ok(value),
            false => Err(Malformed),
        }
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn parse(lines: &[&str]) -> Result<Vec<Extension>, Malformed> {
        let mut headers = HeaderMap::new();
        for line in lines {
            let value = HeaderValue::from_str(line).expect("a header value");
            headers.append(SEC_WEBSOCKET_EXTENSIONS, value);
        }
        extensions(&headers)
    }

    fn extension(name: &str, params: &[(&str, Option<&str>)]) -> Extension {
        let owned = |&(name, value): &(&str, Option<&str>)| (name.into(), value.map(Into::into));
        Extension {
            name: name.into(),
            params: params.iter().map(owned).collect(),
        }
    }

    #[test]
    fn the_examples_of_section_9_1_are_read() {
        let deflate = |params| extension("deflate-stream", params);
        assert_eq!(parse(&["deflate-stream"]), Ok(vec![deflate(&[])]));
        let expected = vec![
            extension(
                "mux",
                &[("max-channels", Some("4")), ("flow-control", None)],
            ),
            deflate(&[]),
        ];
        let one = "mux; max-channels=4; flow-control, deflate-stream";
        let two = ["mux; max-channels=4; flow-control", "deflate-stream"];
        assert_eq!(parse(&[one]), Ok(expected.clone()));
        assert_eq!(parse(&two), Ok(expected));
        let private = extension("private-extension", &[]);
        assert_eq!(parse(&["private-extension"]), Ok(vec![private]));
    }

    #[test]
    fn blanks_quotes_and_empty_elements_change_nothing() {
        let expected = Ok(vec![extension("a", &[("b", Some("10")), ("c", None)])]);
        for value in [
            "a;b=10;c",
            " a ; b = 10 ; c ",
            "a; b=\"10\"; c",
            "a; b=\"1\\0\"; c",
            ",, a;b=10;c ,,",
            "a\t;\tb=10;c",
        ] {
            assert_eq!(parse(&[value]), expected, "{value}");
        }
        assert_eq!(parse(&[""]), Ok(vec![]));
        assert_eq!(parse(&[" , "]), Ok(vec![]));
    }

    #[test]
    fn what_does_not_follow_the_grammar_is_refused() {
        for value in [
            ";",
            "a;",
            "a;;b",
            "a b",
            "a;b=",
            "a;b==1",
            "a;=1",
            "a=1",
            "a;b=\"1",
            "a;b=\"1\\",
            "a;b=\"\"",
            "a;b=\"1 2\"",
            "a;b=\"1\"2",
            "a;b=1 2",
            "(a)",
            "a, (b)",
        ] {
            assert_eq!(parse(&[value]), Err(Malformed), "{value}");
        }
    }
}
