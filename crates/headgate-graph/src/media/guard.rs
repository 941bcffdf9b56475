//! Which addresses a download may go to (SSRF).
//!
//! Owns the list of hosts, which is one, and the check of what its name resolves to. The address of a
//! medium comes in an answer: whoever could change it would otherwise be given a token, or have us ask
//! the machine's own network. Against a simulator on this machine its own origin is the list, and
//! nothing else is, Meta's host neither.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use reqwest::Url;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use crate::address::is_loopback;

/// Where Meta keeps media (docs/media.md).
const HOSTS: [&str; 1] = ["lookaside.fbsbx.com"];

/// The address, when a download may go there.
pub(super) fn admit(text: &str, base: &Url) -> Option<Url> {
    // What a parser would silently leave out or turn around is nothing Meta writes.
    if text
        .bytes()
        .any(|byte| byte <= b' ' || byte == b'\\' || byte >= 0x7f)
    {
        return None;
    }
    let url = Url::parse(text).ok()?;
    let is_bare = url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
    let is_listed = if is_loopback(base) {
        url.origin() == base.origin()
    } else {
        url.scheme() == "https"
            && url.port().is_none()
            && url.host_str().is_some_and(|host| HOSTS.contains(&host))
    };
    (is_bare && is_listed).then_some(url)
}

/// Resolves a name to public addresses, or not at all: one private address among them is enough.
pub(super) struct PublicOnly;

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found: Vec<_> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            if found.is_empty() || !found.iter().all(|address| is_public(address.ip())) {
                let private = "the name resolves to an address that is not public";
                return Err(io::Error::new(io::ErrorKind::PermissionDenied, private).into());
            }
            let addresses: Addrs = Box::new(found.into_iter());
            Ok(addresses)
        })
    }
}

/// Whether an address is one of the public internet (IANA's special-purpose registries, 2026-11).
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => is_public_v4(v4),
        IpAddr::V6(v6) => is_public_v6(v6),
    }
}

fn is_public_v4(v4: Ipv4Addr) -> bool {
    let [a, b, c, _d] = v4.octets();
    let is_special = matches!(
        (a, b, c),
        (0 | 10 | 127 | 224.., ..)
            | (100, 64..=127, _)
            | (169, 254, _)
            | (172, 16..=31, _)
            | (192, 0, 0 | 2)
            | (192, 88, 99)
            | (192, 168, _)
            | (198, 18 | 19, _)
            | (198, 51, 100)
            | (203, 0, 113)
    );
    !is_special
}

fn is_public_v6(v6: Ipv6Addr) -> bool {
    let [first, second, third, ..] = v6.segments();
    if let Some(v4) = v6.to_ipv4_mapped() {
        return is_public_v4(v4);
    }
    // What is assigned is 2000::/3; inside it stand documentation, Teredo, benchmarks, ORCHID and 6to4,
    // which can carry any IPv4 address. 64:ff9b::/96 does too and is outside.
    let is_assigned = first & 0xe000 == 0x2000;
    let is_special = match (first, second) {
        (0x2001, 0..=0x01ff | 0x0db8) | (0x2002, _) => true,
        (0x3fff, _) => second < 0x1000 || third == 0,
        _ => false,
    };
    is_assigned && !is_special
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests may fail loudly")]
    use super::*;

    fn meta(text: &str) -> bool {
        let base = Url::parse("https://graph.facebook.com").unwrap();
        admit(text, &base).is_some()
    }

    #[test]
    fn the_host_of_media_is_allowed_and_no_trick_leads_elsewhere() {
        assert!(meta(
            "https://lookaside.fbsbx.com/whatsapp_business/attachments/?mid=1&ext=2&hash=x"
        ));
        assert!(meta("https://LOOKASIDE.fbsbx.com/x"));
        for trick in [
            "http://lookaside.fbsbx.com/x",
            "https://media.example/x",
            "https://graph.facebook.com/x",
            "https://evil.lookaside.fbsbx.com/x",
            "https://lookaside.fbsbx.com.evil.example/x",
            "https://evil.example/lookaside.fbsbx.com",
            "https://lookaside.fbsbx.com@evil.example/x",
            "https://user@lookaside.fbsbx.com/x",
            "https://user:word@lookaside.fbsbx.com/x",
            "https://lookaside.fbsbx.com:8443/x",
            "https://lookaside.fbsbx.com:80/x",
            "https://lookaside.fbsbx.com./x",
            "https://lookaside.fbsbx.com#@evil.example/x",
            "https://lookaside.fbsbx.com\\@evil.example/x",
            "https://evil.example\\.lookaside.fbsbx.com/x",
            "https://lookaside.fbsbx.com\t/x",
            " https://lookaside.fbsbx.com/x",
            "https://lookaside.fbsb\u{445}.com/x",
            "https://127.0.0.1/x",
            "https://2130706433/x",
            "https://0x7f.1/x",
            "https://017700000001/x",
            "https://169.254.169.254/latest/meta-data/",
            "https://[::1]/x",
            "https://[::ffff:127.0.0.1]/x",
            "https://[fd00:ec2::254]/x",
            "https://localhost/x",
            "http://127.0.0.1:9/x",
            "ftp://lookaside.fbsbx.com/x",
            "file:///etc/passwd",
            "data:text/plain,x",
            "lookaside.fbsbx.com/x",
            "//lookaside.fbsbx.com/x",
            "",
        ] {
            assert!(!meta(trick), "{trick}");
        }
    }

    #[test]
    fn beside_a_simulator_only_its_own_origin_is_allowed() {
        let base = Url::parse("http://127.0.0.1:4711").unwrap();
        let admitted = |text: &str| admit(text, &base).is_some();
        assert!(admitted("http://127.0.0.1:4711/media/1"));
        for other in [
            "http://127.0.0.1:4712/media/1",
            "http://127.0.0.1/media/1",
            "https://127.0.0.1:4711/media/1",
            "http://localhost:4711/media/1",
            "http://user@127.0.0.1:4711/media/1",
            "http://169.254.169.254/latest/meta-data/",
            "https://lookaside.fbsbx.com/x",
        ] {
            assert!(!admitted(other), "{other}");
        }
    }

    #[test]
    fn private_and_special_addresses_are_not_public() {
        for private in [
            "0.0.0.0",
            "10.0.0.1",
            "100.64.0.1",
            "127.0.0.1",
            "127.255.255.254",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.8",
            "192.0.2.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:10.0.0.1",
            "::7f00:1",
            "64:ff9b::7f00:1",
            "100::1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "3fff::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "ff02::1",
        ] {
            assert!(!is_public(private.parse().unwrap()), "{private}");
        }
        for public in [
            "8.8.8.8",
            "31.13.64.1",
            "100.128.0.1",
            "172.32.0.1",
            "2606:4700::1",
            "2a03:2880:f12f:83::1",
        ] {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
    }

    #[tokio::test]
    async fn a_name_that_resolves_to_this_machine_is_not_resolved() {
        let name = "localhost".parse().unwrap();
        let error = PublicOnly.resolve(name).await.err().unwrap();
        assert!(error.to_string().contains("not public"));
    }
}
