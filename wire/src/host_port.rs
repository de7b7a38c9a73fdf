use std::{fmt, net::Ipv6Addr, str::FromStr};

/// A host by name or address, and a port: `router.example:6881`, `192.0.2.1:6881`, `[2001:db8::1]:6881`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HostPort {
    /// A name, or an address without brackets. Never empty.
    pub host: String,
    /// Never 0.
    pub port: u16,
}

/// Why a text is not a host and a port.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HostPortError {
    /// There is no colon, or nothing behind it.
    #[error("{0:?} has no port; write HOST:PORT")]
    NoPort(String),
    /// What follows the last colon is not a port.
    #[error("{0:?} is not a port, which is a number from 1 to 65535")]
    Port(String),
    /// There is nothing that could be a name or an address.
    #[error("{0:?} is not a host name or address")]
    Host(String),
    /// An IPv6 address without brackets.
    #[error("an IPv6 address needs brackets: [{0}]:PORT")]
    Brackets(String),
}

impl HostPort {
    /// A host and its port.
    pub fn new(host: &str, port: u16) -> Result<Self, HostPortError> {
        if port == 0 {
            return Err(HostPortError::Port(port.to_string()));
        }
        let odd = |c: char| c.is_whitespace() || c.is_control() || "/[]@?#".contains(c);
        let colons = host.contains(':');
        if host.is_empty() || host.contains(odd) || (colons && host.parse::<Ipv6Addr>().is_err()) {
            return Err(HostPortError::Host(host.to_owned()));
        }
        Ok(Self {
            host: host.to_owned(),
            port,
        })
    }
}

impl FromStr for HostPort {
    type Err = HostPortError;

    fn from_str(text: &str) -> Result<Self, HostPortError> {
        if text.parse::<Ipv6Addr>().is_ok() {
            return Err(HostPortError::Brackets(text.to_owned()));
        }
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) if !port.is_empty() && !port.ends_with(']') => (host, port),
            _ => return Err(HostPortError::NoPort(text.to_owned())),
        };
        let digits = port.bytes().all(|byte| byte.is_ascii_digit());
        let port = port
            .parse()
            .ok()
            .filter(|_| digits)
            .ok_or_else(|| HostPortError::Port(port.to_owned()))?;
        match host.strip_prefix('[').map(|host| host.strip_suffix(']')) {
            None if host.contains(':') => Err(HostPortError::Brackets(host.to_owned())),
            None => Self::new(host, port),
            Some(Some(address)) if address.contains(':') => Self::new(address, port),
            Some(_) => Err(HostPortError::Host(host.to_owned())),
        }
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        if host.contains(':') {
            write!(f, "[{host}]:{port}")
        } else {
            write!(f, "{host}:{port}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_addresses_of_both_families_are_read_and_shown() {
        for (text, host, port) in [
            ("router.example:6881", "router.example", 6881),
            ("192.0.2.1:1", "192.0.2.1", 1),
            ("[2001:db8::1]:65535", "2001:db8::1", 65535),
        ] {
            let read: HostPort = text.parse().unwrap();
            assert_eq!((read.host.as_str(), read.port), (host, port));
            assert_eq!(read.to_string(), text);
        }
    }

    #[test]
    fn a_refusal_says_what_is_missing() {
        for (text, message) in [
            (
                "router.example",
                "\"router.example\" has no port; write HOST:PORT",
            ),
            (
                "router.example:",
                "\"router.example:\" has no port; write HOST:PORT",
            ),
            ("[::1]", "\"[::1]\" has no port; write HOST:PORT"),
            (
                "a:0",
                "\"0\" is not a port, which is a number from 1 to 65535",
            ),
            (
                "a:+1",
                "\"+1\" is not a port, which is a number from 1 to 65535",
            ),
            (
                "a:65536",
                "\"65536\" is not a port, which is a number from 1 to 65535",
            ),
            (":6881", "\"\" is not a host name or address"),
            ("a b:6881", "\"a b\" is not a host name or address"),
            (
                "[router]:6881",
                "\"[router]\" is not a host name or address",
            ),
            ("[a:b]:6881", "\"a:b\" is not a host name or address"),
            ("::1", "an IPv6 address needs brackets: [::1]:PORT"),
        ] {
            assert_eq!(text.parse::<HostPort>().unwrap_err().to_string(), message);
        }
    }
}
