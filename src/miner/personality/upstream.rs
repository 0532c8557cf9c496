//! Issues that users reported, the quirk that is their replica, and the case that finds it.

use super::Quirk;

/// A known issue, replicated.
#[derive(Debug, Clone, Copy)]
pub struct Upstream {
    /// Repository and number.
    pub issue: &'static str,
    /// What happened.
    pub what: &'static str,
    /// Its replica.
    pub quirk: Quirk,
    /// The case that must find it.
    pub case: &'static str,
}

const fn row(issue: &'static str, what: &'static str, quirk: Quirk, case: &'static str) -> Upstream {
    Upstream { issue, what, quirk, case }
}

/// Issues and CVEs that the suite must find in their replicas.
pub const UPSTREAM: &[Upstream] = &[
    row("bitaxeorg/ESP-Miner#65", "a dead pool is never dropped", Quirk::SilenceIgnored, "N08"),
    row("bitaxeorg/ESP-Miner#80", "crash on an early version mask", Quirk::EarlyMaskCrash, "H12"),
    row("bitaxeorg/ESP-Miner#93", "25 minutes until it reconnects", Quirk::BackoffUnbounded, "N12"),
    row("bitaxeorg/ESP-Miner#190", "fractional difficulty", Quirk::DifficultyTruncated, "D03"),
    row("bitaxeorg/ESP-Miner#193", "unasked set_extranonce", Quirk::UnsolicitedExtranonceCrash, "X07"),
    row("bitaxeorg/ESP-Miner#212", "rejects after a change of difficulty", Quirk::DifficultyLate, "D09"),
    row("bitaxeorg/ESP-Miner#252", "replies misread after ids drifted", Quirk::RepliesByOrder, "H17"),
    row("bitaxeorg/ESP-Miner#269", "a silent pool is kept", Quirk::SilenceIgnored, "N09"),
    row("bitaxeorg/ESP-Miner#658", "length of extranonce2 ignored", Quirk::Extranonce2SizeKept, "X11"),
    row("bitaxeorg/ESP-Miner#689", "connection to a pool that is gone", Quirk::SilenceIgnored, "N08"),
    row("bitaxeorg/ESP-Miner#916", "replies without error", Quirk::ErrorFieldRequired, "H11"),
    row("bitaxeorg/ESP-Miner#1169", "bits outside the mask", Quirk::AskedMaskUsed, "W06"),
    row("bitaxeorg/ESP-Miner#1292", "a timer on notifies drops good pools", Quirk::NotifyTimer(60), "W20"),
    row(
        "bitaxeorg/ESP-Miner#1587",
        "duplicates after a change of difficulty",
        Quirk::Extranonce2Restart,
        "X08",
    ),
    row("bitaxeorg/ESP-Miner#1603", "extranonce2 begins anew", Quirk::Extranonce2Restart, "X08"),
    row("bitaxeorg/ESP-Miner#1701", "an error that is an object", Quirk::ErrorObjectCrash, "R01"),
    row("bitaxeorg/ESP-Miner#1779", "difficulty too low by truncation", Quirk::DifficultyTruncated, "D03"),
    row("bitaxeorg/ESP-Miner#1844", "out of memory by a long line", Quirk::LineCrash(65_536), "N04"),
    row("bitaxeorg/ESP-Miner#1849", "out of memory by a long job id", Quirk::LineCrash(65_536), "S10"),
    row("bitaxeorg/ESP-Miner#1880", "crash on a notify of other types", Quirk::NotifyTypeCrash, "S04"),
    row("bitaxeorg/ESP-Miner#1897", "coinbase cut at 384 bytes", Quirk::CoinbaseCut(384), "W09"),
    row("bitaxeorg/ESP-Miner#1932", "crash on a notify cut short", Quirk::NotifyTypeCrash, "S04"),
    row("shufps/ESP-Miner-NerdQAxePlus#629", "unchecked extranonce2", Quirk::Extranonce2SizeCrash, "X01"),
    row("shufps/ESP-Miner-NerdQAxePlus#640", "the mask cannot be disabled", Quirk::ZeroMaskIgnored, "H18"),
    row("BitMaker-hub/NerdMiner_v2#750", "short nonces", Quirk::NonceUnpadded, "X03"),
    row("BitMaker-hub/NerdMiner_v2#763", "extranonce2 of another length", Quirk::Extranonce2Fixed(4), "X01"),
    row("BitMaker-hub/NerdMiner_v2#807", "coinbase cut at 255 bytes", Quirk::CoinbaseCut(255), "W09"),
    row("frstrtr/c2pool#1392", "bits ORed onto the job's", Quirk::VersionOr, "W04"),
    row("frstrtr/c2pool#1393", "bits XORed onto the job's", Quirk::VersionXor, "W04"),
    row("btccom/btcpool#425", "bits that were not granted", Quirk::AskedMaskUsed, "W05"),
    row("OCEAN-xyz/datum_gateway#105", "S21+ drops at an early mask", Quirk::EarlyMaskCrash, "H12"),
    row("OCEAN-xyz/datum_gateway#214", "bits without a grant", Quirk::RollsWithoutGrant, "H05"),
    row("JayDDee/cpuminer-opt#180", "old work after a reconnect", Quirk::OldWorkSurvives, "X09"),
    row("sgminer#257", "sent to another host", Quirk::ReconnectSuffix, "S01"),
    row("sgminer#370", "extranonce.subscribe refused", Quirk::ExtranonceSubscribeRequired, "H07"),
    row("veriumMiner#26", "job before the reply to subscribe", Quirk::EarlyMessagesLost, "H03"),
    row("CVE-2014-4501", "a long host in client.reconnect", Quirk::ReconnectHostCrash, "S02"),
    row("CVE-2014-4502", "a huge extranonce2", Quirk::Extranonce2SizeCrash, "X01"),
    row("CVE-2014-4503", "malformed parameters of notify", Quirk::NotifyTypeCrash, "S04"),
];
