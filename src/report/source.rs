//! Links in the sources that cases name: issues of known repositories, CVEs, BIPs, addresses.

use super::escape::html;

/// Repositories by the short names in use, and `owner/name` on GitHub.
const REPOSITORIES: &[(&str, &str)] = &[
    ("ESP-Miner", "bitaxeorg/ESP-Miner"),
    ("ESP", "bitaxeorg/ESP-Miner"),
    ("AX", "bitaxeorg/ESP-Miner"),
    ("ESP-Miner-NerdQAxePlus", "shufps/ESP-Miner-NerdQAxePlus"),
    ("NerdQAxePlus", "shufps/ESP-Miner-NerdQAxePlus"),
    ("NerdQAxe+", "shufps/ESP-Miner-NerdQAxePlus"),
    ("NerdQAxe", "shufps/ESP-Miner-NerdQAxePlus"),
    ("NQ", "shufps/ESP-Miner-NerdQAxePlus"),
    ("NerdMiner_v2", "BitMaker-hub/NerdMiner_v2"),
    ("NerdMiner", "BitMaker-hub/NerdMiner_v2"),
    ("NM", "BitMaker-hub/NerdMiner_v2"),
    ("Avalon_Nano3s", "Canaan-Creative/Avalon_Nano3s"),
    ("btcpool", "btccom/btcpool-ABANDONED"),
    ("c2pool", "frstrtr/c2pool"),
    ("cgminer", "ckolivas/cgminer"),
    ("cpuminer", "pooler/cpuminer"),
    ("cpuminer-opt", "JayDDee/cpuminer-opt"),
    ("datum", "OCEAN-xyz/datum_gateway"),
    ("datum_gateway", "OCEAN-xyz/datum_gateway"),
    ("farm-proxy", "braiins/farm-proxy"),
    ("miningcore", "oliverw/miningcore"),
    ("mujina", "256foundation/mujina"),
    ("p2poolv2", "p2poolv2/p2poolv2"),
    ("public-pool", "benjamin-wilson/public-pool"),
    ("sgminer", "sgminer-dev/sgminer"),
    ("stratum", "stratum-mining/stratum"),
    ("sv2-apps", "stratum-mining/sv2-apps"),
];

/// What may stand in a name or address.
fn is_part(c: char) -> bool {
    c.is_alphanumeric() || "#-_./+:@%?=&~".contains(c)
}

/// The source as HTML, with links where it names something that has an address.
#[must_use]
pub fn linked(source: &str) -> String {
    let mut out = String::new();
    let mut rest = source;
    while !rest.is_empty() {
        let end = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
        if end == 0 {
            let length = rest.chars().next().map_or(1, char::len_utf8);
            out.push_str(&html(&rest[..length]));
            rest = &rest[length..];
            continue;
        }
        let word = rest[..end].trim_end_matches(['.', ':', '?']);
        match address(word) {
            Some(address) => {
                out.push_str(&format!("<a href=\"{}\" rel=\"noreferrer\">{}</a>", html(&address), html(word)))
            }
            None => out.push_str(&html(word)),
        }
        out.push_str(&html(&rest[word.len()..end]));
        rest = &rest[end..];
    }
    out
}

/// Where a word leads, if anywhere.
#[must_use]
pub fn address(word: &str) -> Option<String> {
    if word.starts_with("https://") {
        return Some(word.to_owned());
    }
    if let Some(number) = word.strip_prefix("CVE-") {
        let digits = number.chars().all(|c| c.is_ascii_digit() || c == '-') && number.len() > 6;
        return digits.then(|| format!("https://nvd.nist.gov/vuln/detail/{word}"));
    }
    if let Some(number) = word.strip_prefix("BIP") {
        let number: u32 = number.trim_start_matches('-').parse().ok()?;
        return Some(format!("https://github.com/bitcoin/bips/blob/master/bip-{number:04}.mediawiki"));
    }
    let (repository, number) = word.split_once('#')?;
    let number: u32 = number.parse().ok()?;
    let known = match repository.split('/').collect::<Vec<_>>()[..] {
        // Whoever writes the owner means what they write.
        [owner, name] if !owner.is_empty() && !name.is_empty() => repository,
        [short] => REPOSITORIES.iter().find(|(name, _)| name.eq_ignore_ascii_case(short))?.1,
        _ => return None,
    };
    // GitHub leads from here to the pull request where it is one.
    Some(format!("https://github.com/{known}/issues/{number}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_names_have_addresses() {
        fn check(word: &str, part: Option<&str>) {
            let found = address(word);
            assert_eq!(found.is_some(), part.is_some(), "{word}: {found:?}");
            assert!(part.is_none_or(|part| found.unwrap().ends_with(part)), "{word}");
        }
        check("ESP-Miner#1880", Some("github.com/bitaxeorg/ESP-Miner/issues/1880"));
        check("esp-miner#80", Some("bitaxeorg/ESP-Miner/issues/80"));
        check("NerdQAxe+#511", Some("shufps/ESP-Miner-NerdQAxePlus/issues/511"));
        check("someone/else#7", Some("github.com/someone/else/issues/7"));
        check("CVE-2014-4501", Some("CVE-2014-4501"));
        check("BIP310", Some("bip-0310.mediawiki"));
        check("https://example.org/a", Some("example.org/a"));
        check("unknown#1", None);
        check("ESP-Miner#x", None);
        check("javascript:alert#1", None);
        check("BIPxyz", None);
    }

    #[test]
    fn links_stand_in_their_sentence() {
        let text = linked("ESP-Miner#1880, <b>BIP310</b> and more.");
        assert!(text.starts_with("<a href=\"https://github.com/bitaxeorg/ESP-Miner/issues/1880\""), "{text}");
        assert!(text.contains(", &lt;b&gt;<a href=") && text.ends_with(" and more."), "{text}");
        assert!(linked("https://a.example/\"onclick=x").contains("&quot;onclick"));
    }
}
