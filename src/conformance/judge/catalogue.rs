//! The judges as documentation: name, when it holds, settings.

/// A judge as users read about it.
#[derive(Debug, Clone, Copy)]
pub struct JudgeDoc {
    /// Its name in case files.
    pub name: &'static str,
    /// When it is content.
    pub holds: &'static str,
    /// What it needs to decide.
    pub needs: &'static str,
    /// Its settings with their defaults, beside `after`, `before`, `of` and `grace`.
    pub settings: &'static str,
}

/// All judges.
pub const JUDGES: &[JudgeDoc] = &[
    doc("met", "every expectation that is not optional was met", "nothing", ""),
    doc(
        "alive",
        "the miner ended no connection, lost none, and opened no second one while one lived",
        "a connection in the window",
        "",
    ),
    doc(
        "shares_good",
        "every share carries the proof it describes and has no problem; absent version bits are no problem here. In a sweep for each trial",
        "`min` shares, in each trial",
        "min = 1, ignore = [problems]",
    ),
    doc(
        "no_problem",
        "no share has one of the problems; `grace` is 2s where not given",
        "`min` shares",
        "which = [problems], min = 1",
    ),
    doc(
        "not_explained",
        "no share's proof comes about by one of the explanations, beyond what luck explains",
        "`min` shares; more when a match could be luck",
        "which = [explanations], min = 1",
    ),
    doc("no_shares", "no share came at all, good or not", "that the window was reached", ""),
    doc(
        "some_shares",
        "at least `min` good shares came; fewer are a failure",
        "that the window was reached",
        "min = 1",
    ),
    doc(
        "switches",
        "95 of 100 clean jobs on new blocks are followed by the last share of an older block within `p95` and a round trip",
        "`min` such jobs after which shares came",
        "p95 = 2s, min = 30",
    ),
    doc(
        "stale_fraction",
        "shares of an older block, later than a round trip after the newer one, are no more than `max` of all",
        "`min` shares, and more where chance could decide",
        "max, min = 50",
    ),
    doc(
        "moving",
        "no header twice, and while one job outlasts a nonce range, extranonce2, version bits and ntime take enough values",
        "shares of a job; says when the hashrate never needed to move",
        "",
    ),
    doc(
        "reply",
        "every reply to a request of the pool has an id that was asked, same JSON value and type; with `id`, that one came, with `result` if given",
        "a request of the pool, and a reply",
        "id, result, required = false",
    ),
    doc(
        "requests",
        "the number of requests with this method on each connection is within the bounds",
        "a connection that said something",
        "method, min, max",
    ),
    doc(
        "request_before",
        "on each connection the first `a` came before the first `b`",
        "either of them",
        "a, b",
    ),
    doc(
        "asked",
        "the miner sent this request; otherwise the whole case does not apply to it",
        "always decides; without the request the case is inconclusive",
        "method",
    ),
    doc(
        "reconnected",
        "each time after the mark, or the end of a connection, a new connection came in time",
        "that the case went on for `within`",
        "within = 60s",
    ),
    doc(
        "reconnects",
        "no minute has more new connections than `per_minute_max`; with `backs_off` pauses grow, or vary by chance",
        "for `backs_off` six connections",
        "per_minute_max, backs_off = false",
    ),
    doc(
        "visited",
        "a connection came on the listener, in time",
        "that the mark was reached",
        "listener, within",
    ),
    doc("not_visited", "no connection came on the listener", "that the mark was reached", "listener"),
    doc(
        "cadence",
        "no silence while there is work is longer than `slack` and what chance explains at 4/5 of the claimed hashrate (3/10 of a measured one), one false alarm in 10,000",
        "a window in which a silence could be noticed",
        "slack = 2s",
    ),
    doc(
        "rate_below",
        "shares come no faster, beyond chance (one false alarm in a thousand). In a sweep for each trial",
        "a window",
        "per_second",
    ),
    doc(
        "well_formed",
        "every line is one JSON object of at most `bytes_max` bytes, requests have an id and the parameters that their method needs",
        "a line",
        "bytes_max = 4096",
    ),
    doc(
        "worker",
        "every share names a worker that was authorized on its connection, byte for byte",
        "a share",
        "",
    ),
    doc(
        "limit",
        "every value of `must`, up to `at_least`, and from `at_most` on gave good shares and no wrong one; the limits are reported",
        "a sweep",
        "what, at_least, at_most, must = []",
    ),
    doc(
        "sound_or_refused",
        "each trial has good shares only, or none; it may end the connection with FIN and come back `within`, but not reset, lose or abandon it",
        "a trial, or the whole case",
        "ignore = [problems], within = 90s",
    ),
    doc(
        "garwood",
        "the claimed hashrate lies in the exact Poisson interval of the shares counted",
        "a claimed hashrate, `min` good shares",
        "alpha = 0.001, min = 200",
    ),
    doc(
        "lilliefors",
        "gaps between shares are exponential, whatever their mean",
        "`min` gaps",
        "alpha = 0.001, min = 50",
    ),
    doc(
        "not_batched",
        "gaps shorter than 5 ms are no more frequent than the rate explains",
        "`min` gaps",
        "alpha = 0.001, min = 100",
    ),
    doc(
        "uniform_u",
        "difficulty asked over difficulty reached is uniform on (0, 1], and never above 1",
        "`min` shares of the described header",
        "alpha = 0.001, min = 10",
    ),
    doc(
        "version_bits",
        "every granted bit is set in some shares and clear in others (with `every = false`: any bit is); how evenly is reported",
        "so many shares that a bit used half the time would show",
        "alpha = 0.001, every = true",
    ),
    doc(
        "nonce_coverage",
        "nine of ten nonces are distinct; how they are spread is reported",
        "20 shares",
        "",
    ),
    doc("no_duplicates", "no header of 80 bytes came twice", "two shares", ""),
    doc(
        "first_share",
        "the first good share of each connection came within the time; it is reported",
        "a new connection that lived so long",
        "within",
    ),
    doc(
        "latest_job",
        "after a job, when no other follows so soon, shares are for it within the time and a round trip",
        "a share of such a job",
        "within = 1s",
    ),
    doc(
        "bits_within",
        "version bits stay within the mask in force, from `grace` (2s) and a round trip after the mark; without a mark, after each change",
        "a share after it",
        "",
    ),
];

const fn doc(
    name: &'static str,
    holds: &'static str,
    needs: &'static str,
    settings: &'static str,
) -> JudgeDoc {
    JudgeDoc { name, holds, needs, settings }
}
