//! The mistakes that firmware makes, one by one.
//!
//! Each stands alone: a device with one quirk is right in everything else. The
//! source of each is a firmware by its key in [`PERSONALITIES`](super::PERSONALITIES),
//! an issue by its repository and number, a CVE, or `tried`: nobody is known to
//! do it, but a check that cannot fail is worth nothing.

/// Writes the enum and what is known of its variants from one table.
macro_rules! quirks {
    (
        plain { $($plain:ident $plain_name:literal $plain_does:literal $plain_source:literal)* }
        harmless { $($style:ident $style_name:literal $style_does:literal $style_source:literal)* }
        sized { $($sized:ident $stem:literal [$($value:literal)+] $sized_does:literal $sized_source:literal)* }
    ) => {
        /// One way to differ from what firmware should be.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Quirk {
            $(#[doc = $plain_does] #[doc = concat!("\n\nSource: ", $plain_source, ".")] $plain,)*
            $(#[doc = $style_does] #[doc = concat!("\n\nHarmless. Source: ", $style_source, ".")] $style,)*
            $(#[doc = $sized_does] #[doc = concat!("\n\nSource: ", $sized_source, ".")] $sized(u32),)*
        }

        impl Quirk {
            /// All of them; those that come in sizes in the sizes that are known.
            pub const ALL: &[Self] =
                &[$(Self::$plain,)* $(Self::$style,)* $($(Self::$sized($value),)+)*];

            /// Its number, where it comes in sizes.
            #[must_use]
            pub fn value(self) -> Option<u32> {
                match self {
                    $(Self::$sized(value) => Some(value),)*
                    _ => None,
                }
            }

            /// Its name for good, without its number.
            fn stem(self) -> &'static str {
                match self {
                    $(Self::$plain => $plain_name,)*
                    $(Self::$style => $style_name,)*
                    $(Self::$sized(_) => $stem,)*
                }
            }

            /// What it does, in a sentence; `n` is its number.
            #[must_use]
            pub fn does(self) -> &'static str {
                match self {
                    $(Self::$plain => $plain_does,)*
                    $(Self::$style => $style_does,)*
                    $(Self::$sized(_) => $sized_does,)*
                }
            }

            /// Where it is known from.
            #[must_use]
            pub fn source(self) -> &'static str {
                match self {
                    $(Self::$plain => $plain_source,)*
                    $(Self::$style => $style_source,)*
                    $(Self::$sized(_) => $sized_source,)*
                }
            }

            /// Whether firmware may well do it: another way, not a wrong one.
            #[must_use]
            pub fn is_harmless(self) -> bool {
                let bounded = matches!(self, Self::LineLimit(_) | Self::LineSkipped(_) | Self::RetryFixed(_) | Self::Extranonce2Unsubmitted(_));
                bounded || matches!(self, $(Self::$style)|*)
            }

            /// One that comes in sizes, by its name and any number.
            fn sized(stem: &str, value: u32) -> Option<Self> {
                match stem {
                    $($stem => Some(Self::$sized(value)),)*
                    _ => None,
                }
            }
        }
    };
}

quirks! {
    plain {
        // Bytes and lines.
        FirstLineOfSegment "first-line-of-segment"
            "Reads only the first line of each segment; the others are lost." "NM"
        PartialLineLost "partial-line-lost"
            "Loses what comes behind the last line feed of a segment." "tried"
        LineTimeout "line-timeout"
            "Takes a line that is not whole a second after its first byte as it is." "NM readStringUntil"
        LineLostOnSubmit "line-lost-on-submit"
            "Loses the part of a line that is there when a share goes out." "MJ read_line in a select"
        BlankLineFatal "blank-line-fatal"
            "Ends the session at an empty line." "NQ"
        CarriageReturnRefused "carriage-return-refused"
            "Cannot read a line that ends with CR LF." "tried"
        LineSurvivesReconnect "line-survives-reconnect"
            "Puts half a line of the last connection before the first line of the next." "tried"
        NulHidesRest "nul-hides-rest"
            "Forgets all that is buffered behind a NUL, and then reads no further on this connection." "CG strlen"
        BadTextCrash "bad-text-crash"
            "Crashes at bytes that are not UTF-8." "tried"
        BadJsonCrash "bad-json-crash"
            "Crashes at a line that is not JSON." "tried"
        NestingCrash "nesting-crash"
            "Runs out of stack at a thousand lists in each other." "tried"
        // What lines mean.
        MethodNullCrash "method-null-crash"
            "Crashes when the method is no text." "NM strcmp"
        NotifyTypeCrash "notify-type-crash"
            "Crashes when a parameter of notify is missing or of the wrong type." "AX, NQ, ESP-Miner#1880, ESP-Miner#1932, CVE-2014-4503"
        NineParamsOnly "nine-params-only"
            "Refuses a notify that has not exactly nine parameters." "MJ"
        ErrorFieldRequired "error-field-required"
            "Takes a reply without the field error for a refusal." "ESP-Miner#916"
        OddIdIsSetupReply "odd-id-is-setup-reply"
            "Takes an answer whose id is no number for the answer to subscribe." "AX"
        NbitsCrash "nbits-crash"
            "Crashes when the exponent of nbits is below 3 or above 32." "NM utils.cpp:197"
        OddHexCrash "odd-hex-crash"
            "Crashes at an odd number of hexadecimal digits." "tried"
        UpperHexMisread "upper-hex-misread"
            "Reads upper-case hexadecimal digits as zero." "tried"
        MultiVersionCrash "multi-version-crash"
            "Crashes when multi_version has more than four versions." "BM, an array of four"
        MessageCrash "message-crash"
            "Crashes at a message to the user that is long or has a per cent sign." "tried"
        RequestCrash "request-crash"
            "Crashes when the pool asks something." "tried"
        ReplyIdZero "reply-id-zero"
            "Answers a request of the pool with id 0 where the id is no number." "CG"
        EarlyMessagesLost "early-messages-lost"
            "Drops what the pool sends before the answer to subscribe." "veriumMiner#26, NM"
        EarlyMaskCrash "early-mask-crash"
            "Crashes at set_version_mask before it is authorized." "ESP-Miner#80, datum_gateway#105"
        StrayLineFatal "stray-line-fatal"
            "Takes an unknown notification for the answer to authorize, and so for a refusal." "CG, N3, PC"
        UnsolicitedExtranonceCrash "unsolicited-extranonce-crash"
            "Crashes at set_extranonce when it did not get to subscribe to it." "ESP-Miner#193"
        JobIdHexOnly "job-id-hex-only"
            "Refuses jobs whose id is no number in hexadecimal." "PA"
        JobIdUnescaped "job-id-unescaped"
            "Writes the id of a job into its JSON as it is." "all in C"
        // Sent elsewhere.
        ReconnectAnywhere "reconnect-anywhere"
            "Goes wherever the pool says." "PC, CO"
        ReconnectSuffix "reconnect-suffix"
            "Goes to any host that is the same behind its first dot." "CG strchr, sgminer#257"
        ReconnectWaitObeyed "reconnect-wait-obeyed"
            "Waits as long as the pool says before it connects again." "tried"
        ReconnectHostCrash "reconnect-host-crash"
            "Crashes when client.reconnect names a host of more than 255 letters." "CVE-2014-4501"
        ReconnectAtOnce "reconnect-at-once"
            "Connects again at once whenever it is asked to." "PC"
        ReconnectPortWraps "reconnect-port-wraps"
            "Cuts the port it is sent to to 16 bits, and goes there for good." "tried"
        // The handshake.
        RepliesByOrder "replies-by-order"
            "Takes the next answer for that to its oldest request, whatever the id." "CG"
        DuplicateReplyFatal "duplicate-reply-fatal"
            "Ends the session when a request of the handshake is answered twice." "tried"
        UnknownReplyFatal "unknown-reply-fatal"
            "Ends the session at an answer to nothing." "CG, MJ"
        ConfigureRequired "configure-required"
            "Does not go on before configure is answered, and gives up without." "CG, N3"
        ExtranonceSubscribeRequired "extranonce-subscribe-required"
            "Ends the session when extranonce.subscribe is refused." "BM, sgminer#370"
        SuggestionRequired "suggestion-required"
            "Ends the session when its suggested difficulty is refused or not answered." "MJ with Ocean"
        SubscriptionsRequired "subscriptions-required"
            "Ends the session when the list of subscriptions lacks mining.notify." "AX probe"
        SubscribeRefusalIgnored "subscribe-refusal-ignored"
            "Mines without extranonce1 when subscribe is refused." "tried"
        MinesUnauthorized "mines-unauthorized"
            "Goes on when authorize is refused." "AX"
        // Version bits.
        RollsWithoutGrant "rolls-without-grant"
            "Rolls version bits though that was not granted." "datum_gateway#214"
        MaskSurvivesSession "mask-survives-session"
            "Keeps the mask of an earlier session until another is granted." "AX"
        AskedMaskUsed "asked-mask-used"
            "Rolls the bits it asked for instead of those that were granted." "BM, btcpool#425, ESP-Miner#1169"
        ZeroMaskIgnored "zero-mask-ignored"
            "Keeps its mask when the pool announces zero." "NerdQAxePlus#640"
        MaskAtNextJob "mask-at-next-job"
            "Applies a new mask only to the next job." "tried"
        VersionXor "version-xor"
            "Sends and hashes version bits that are XORed onto the job's." "c2pool#1393"
        VersionOr "version-or"
            "Hashes the job's version with its bits ORed in, and sends the difference." "AX, NQ, c2pool#1392"
        VersionWhole "version-whole"
            "Sends the whole version in place of its bits." "BM"
        VersionModern "version-modern"
            "Hashes every version with the top bits 001." "tried"
        // Extranonce.
        ResumedExtranonceKept "resumed-extranonce-kept"
            "Keeps its extranonce1 when it asked to resume a session." "tried"
        Extranonce1SizeKept "extranonce1-size-kept"
            "Keeps the length of the first extranonce1 it ever got." "tried"
        Extranonce2SizeKept "extranonce2-size-kept"
            "Keeps the first length of extranonce2 it ever got." "ESP-Miner#658"
        Extranonce2SizeCrash "extranonce2-size-crash"
            "Crashes when extranonce2 is to have more than 32 bytes, or fewer than none." "AX, NerdQAxePlus#629, ESP-Miner#1880, CVE-2014-4502, CVE-2014-6251"
        SetExtranonceIgnored "set-extranonce-ignored"
            "Ignores set_extranonce, though it subscribed to it." "CG, NM, PC, MJ"
        ExtranonceAtOnce "extranonce-at-once"
            "Builds new work with a new extranonce1 at once, on the old job." "AX"
        Extranonce2SizeAtOnce "extranonce2-size-at-once"
            "Writes a new length of extranonce2 at once, on the old job." "BM, N3, CO"
        Extranonce2Restart "extranonce2-restart"
            "Begins with the first header again whenever a job comes." "AX, ESP-Miner#1587, ESP-Miner#1603"
        Extranonce2Overflows "extranonce2-overflows"
            "Prints its counter longer than extranonce2 is when it runs over." "NQ snprintf"
        Extranonce2WrapRepeats "extranonce2-wrap-repeats"
            "Begins with the first header again when extranonce2 comes round." "tried"
        OldWorkSurvives "old-work-survives"
            "Goes on with the work of the last session when the next one uses the same job id." "cpuminer-opt#180"
        // Work.
        WorkConstant "work-constant"
            "Never changes extranonce2, version or ntime of a job." "NM"
        PrevHashUnswapped "prev-hash-unswapped"
            "Takes the previous hash as it stands, without turning its words." "tried"
        EmptyBranchRefused "empty-branch-refused"
            "Leaves jobs without merkle branch alone." "CG bad_work"
        ExtranonceInScriptOnly "extranonce-in-script-only"
            "Leaves jobs alone whose extranonce is not in the input's script." "tried"
        ForeignPayoutReset "foreign-payout-reset"
            "Resets the connection when the coinbase does not pay its user, and stays away ten minutes." "NQ"
        NtimeRunsAhead "ntime-runs-ahead"
            "Moves ntime on ten times as fast as time passes." "tried"
        NtimeNeverBack "ntime-never-back"
            "Never uses an ntime below one it has seen." "tried"
        NtimeOwnClock "ntime-own-clock"
            "Uses its own clock for ntime." "tried"
        NonceNarrow "nonce-narrow"
            "Uses the same few nonces again and again." "tried"
        // Which job.
        SeenJobIgnored "seen-job-ignored"
            "Ignores a notify that is not clean and whose id is among the last sixteen." "AX"
        UncleanIgnored "unclean-ignored"
            "Takes up clean jobs only." "tried"
        CleanLingers "clean-lingers"
            "Works on for five seconds before it takes up a clean job." "tried"
        CleanSameBlockLingers "clean-same-block-lingers"
            "Works on for ten seconds when a clean job is on the same block." "tried"
        NewestJobNamed "newest-job-named"
            "Names the newest job in shares that it found for the one before." "tried"
        JobQueue "job-queue"
            "Works through jobs in turn, a second each; twelve can wait, more are dropped." "AX"
        IdleStops "idle-stops"
            "Stops hashing when no job came for a minute." "tried"
        // Difficulty.
        DifficultyAtOnce "difficulty-at-once"
            "Applies a new difficulty to the job it is at." "NM, PA"
        DifficultyLate "difficulty-late"
            "Applies a new difficulty one job too late." "ESP-Miner#212"
        DifficultyQueued "difficulty-queued"
            "Applies one announced difficulty with each job, the oldest first." "CG"
        DifficultyTruncated "difficulty-truncated"
            "Keeps difficulty as a whole number of 32 bits." "NQ, ESP-Miner#190, ESP-Miner#1779"
        DifficultyZeroTaken "difficulty-zero-taken"
            "Takes a difficulty of zero or below at its word." "AX"
        DifficultyOnlyRises "difficulty-only-rises"
            "Ignores a lower difficulty." "tried"
        DifficultyRoundedUp "difficulty-rounded-up"
            "Sends only shares that meet the next power of two." "chips that filter by zero bits"
        // Shares and their answers.
        ErrorObjectCrash "error-object-crash"
            "Crashes when an error is an object." "ESP-Miner#1701"
        SubmitsOneAtATime "submits-one-at-a-time"
            "Waits up to 30 s for the answer to a share before it sends the next; what it finds meanwhile is lost." "MJ"
        DeafWhileSubmitting "deaf-while-submitting"
            "Takes up no job while a share waits for its answer, up to 30 s." "MJ"
        SubmitsSurviveSession "submits-survive-session"
            "Sends the last shares of a session again in the next." "CG"
        SubmitsBatched "submits-batched"
            "Collects shares and sends them every five seconds." "tried"
        SharesTwice "shares-twice"
            "Sends some shares twice." "NerdMiner_v2#750"
        NonceUnpadded "nonce-unpadded"
            "Writes nonces without leading zeros." "NM, NerdMiner_v2#750"
        NonceByteSwapped "nonce-byte-swapped"
            "Writes nonces in the other byte order." "tried"
        UserUnescaped "user-unescaped"
            "Writes the user's name into its JSON as it is." "all in C"
        UserWithoutWorker "user-without-worker"
            "Submits under the account, without the name of the worker." "tried"
        // Connections.
        SilenceIgnored "silence-ignored"
            "Never notices that the pool is silent." "AX, NQ, MJ, ESP-Miner#65, ESP-Miner#269, ESP-Miner#689"
        WriteHangs "write-hangs"
            "Hangs when the connection takes no bytes." "AX"
        GivesUp "gives-up"
            "Gives up after three connections that failed." "tried"
        BackoffUnbounded "backoff-unbounded"
            "Doubles its waits without end." "ESP-Miner#93"
        RetryAtOnce "retry-at-once"
            "Tries again a tenth of a second after each failure." "tried"
        AddressCached "address-cached"
            "Looks the pool's name up only once." "NM"
        CertificateUnverified "certificate-unverified"
            "Takes any certificate." "N3, BF"
    }
    harmless {
        SubscribeFirst "subscribe-first"
            "Subscribes before it configures." "NQ, NM, BM"
        OneByOne "one-by-one"
            "Waits for each answer of the handshake before it asks the next." "NM, CG, BM, PC, MJ"
        NoVersionRolling "no-version-rolling"
            "Does not ask for version rolling." "NM, PC, CO"
        NoExtranonceSubscribe "no-extranonce-subscribe"
            "Does not ask for set_extranonce." "NM, CG, PC, MJ"
        NoSuggestion "no-suggestion"
            "Suggests no difficulty." "CG, BM, PC, CO"
        SuggestsOften "suggests-often"
            "Suggests its difficulty every 30 s, as a sign of life." "NM"
        AsksAllBits "asks-all-bits"
            "Asks for all 32 version bits." "AX"
        VersionBitsAlways "version-bits-always"
            "Sends version bits, zero, even where none were granted." "AX, NQ"
        SubmitIdFour "submit-id-four"
            "Gives every share the id 4." "PC, CO"
        TextIds "text-ids"
            "Uses texts as ids of some requests." "BF"
        PongAsRequest "pong-as-request"
            "Answers a ping with a request of method pong." "AX"
        RequestsIgnored "requests-ignored"
            "Ignores what the pool asks." "NQ, NM, MJ"
        ReconnectIgnored "reconnect-ignored"
            "Ignores client.reconnect." "NQ, NM"
        ReconnectHome "reconnect-home"
            "Connects to where the user told it, wherever the pool sends it." "AX, MJ, ESP-Miner#41"
        Extranonce2LittleEndian "extranonce2-little-endian"
            "Counts extranonce2 from its first byte." "AX"
        BadJsonFatal "bad-json-fatal"
            "Ends the session at a line that is not JSON." "NQ"
    }
    sized {
        LineCrash "line-crash" [65536]
            "Runs out of memory when a line gets longer than n bytes." "ESP-Miner#1844, ESP-Miner#1849"
        LineLimit "line-limit" [16384]
            "Connects again when a line gets longer than n bytes." "NQ"
        LineSkipped "line-skipped" [4096]
            "Skips lines that are longer than n bytes." "NM"
        JobIdCut "job-id-cut" [16]
            "Keeps n bytes of the id of a job." "tried"
        Extranonce1Cut "extranonce1-cut" [4]
            "Keeps n bytes of extranonce1." "tried"
        Extranonce2Fixed "extranonce2-fixed" [4]
            "Uses n bytes of extranonce2 where it should be anything but 2, 4 or 8." "NM, NerdMiner_v2#763"
        Extranonce2Unsubmitted "extranonce2-unsubmitted" [8]
            "Submits nothing when extranonce2 is to have more than n bytes." "CG, N3"
        VersionBitsFew "version-bits-few" [4]
            "Rolls no more than n of the bits it was granted." "BM1397 chips"
        BranchCut "branch-cut" [12 20 30 32]
            "Uses only the first n siblings of the merkle branch." "N3, AX, NQ"
        CoinbaseCut "coinbase-cut" [255 384 6144]
            "Hashes only the first n bytes of the coinbase." "NerdMiner_v2#807, ESP-Miner#1897, N3"
        UncleanLingers "unclean-lingers" [15]
            "Takes up a job that is not clean after n seconds, even on a new block." "AX"
        SlowSwitch "slow-switch" [600]
            "Does not hash for n milliseconds when it takes up a job." "tried"
        SlowStart "slow-start" [60]
            "Begins to hash n seconds after it is let in." "tried"
        HashrateOverstated "hashrate-overstated" [70]
            "Hashes at n per cent of what it claims." "tried"
        RejectsCrash "rejects-crash" [100]
            "Starts again after n rejects in a row." "tried"
        SubmitCut "submit-cut" [1024]
            "Cuts what it sends at n bytes, line feed and all." "AX, NQ"
        UserCut "user-cut" [63]
            "Submits under the first n bytes of the user's name." "Avalon, datum_gateway doc/usernames.md"
        SilenceLimit "silence-limit" [90 120 600]
            "Takes n seconds of silence for the end of the pool." "CG and N3 90, PC and BF 120, NM 600"
        NotifyTimer "notify-timer" [60]
            "Connects again when no job came for n seconds." "ESP-Miner#1292"
        RetryFixed "retry-fixed" [5 10]
            "Tries again n seconds after each failure." "AX and CG 5, NQ 10"
        UptimeCrash "uptime-crash" [1800]
            "Crashes every n seconds." "tried"
    }
}

impl Quirk {
    /// Its name for good, with its number.
    #[must_use]
    pub fn name(self) -> String {
        match self.value() {
            Some(value) => format!("{}-{value}", self.stem()),
            None => self.stem().to_owned(),
        }
    }

    /// By its name; one that comes in sizes with any number.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let listed = Self::ALL.iter().copied().find(|quirk| quirk.value().is_none() && quirk.stem() == name);
        listed.or_else(|| {
            let (stem, value) = name.rsplit_once('-')?;
            Self::sized(stem, value.parse().ok()?)
        })
    }
}

impl std::fmt::Display for Quirk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.name())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_has_a_name_of_its_own_and_a_source() {
        let names: BTreeSet<String> = Quirk::ALL.iter().map(|quirk| quirk.name()).collect();
        assert_eq!(names.len(), Quirk::ALL.len());
        for quirk in Quirk::ALL {
            assert_eq!(Quirk::named(&quirk.name()), Some(*quirk));
            assert!(!quirk.source().is_empty() && quirk.does().ends_with('.'), "{quirk}");
        }
        assert_eq!(Quirk::named("coinbase-cut-777"), Some(Quirk::CoinbaseCut(777)));
        assert_eq!(Quirk::named("coinbase-cut"), None);
        assert_eq!(Quirk::named("none"), None);
    }
}
