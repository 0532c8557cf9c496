//! How the test pool behaves towards a miner, where a case does not say otherwise.

use serde::Deserialize;

use super::span::Span;
use crate::stratum::v1::{VERSION_MASK, hex};
use crate::units::Seconds;

/// The longest extranonce2 that is taken at its word.
const EXTRANONCE2_BYTES_MAX: usize = 4096;

/// How a request is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answering {
    /// As a good pool does.
    #[default]
    Good,
    /// With a no: `false`, or `version-rolling: false`.
    No,
    /// With an error as a list `[code, text, null]`.
    ErrorList,
    /// With an error as an object.
    ErrorObject,
    /// With an error as a text.
    ErrorText,
    /// With `result: false` and a `reject-reason`.
    RejectReason,
    /// With an error in the words of JSON-RPC 2.0.
    ErrorJsonRpc,
    /// With `result: null` and `error: null`.
    Null,
    /// Not at all.
    Silent,
}

/// When replies go out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Replying {
    /// At once.
    #[default]
    AtOnce,
    /// When the case releases them.
    Held,
}

/// How a reply looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReplyStyle {
    /// `id`, `result`, `error`.
    #[default]
    Full,
    /// Without `error`.
    WithoutError,
    /// With `"jsonrpc":"2.0"`, and without `error`.
    JsonRpc,
    /// With another id than the request's.
    WrongId,
    /// Twice.
    Twice,
}

/// What stands in the list of subscriptions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Subscriptions {
    /// `mining.set_difficulty` and `mining.notify`, each with the session's name.
    #[default]
    Full,
    /// An empty list.
    Empty,
    /// `null`.
    Null,
}

/// When the first difficulty and job go out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FirstJob {
    /// After the reply to authorize.
    #[default]
    AfterAuthorize,
    /// After the reply to subscribe.
    AfterSubscribe,
    /// Before the reply to subscribe.
    BeforeSubscribe,
    /// When the case sends it.
    ByHand,
}

/// How the test pool behaves.
#[derive(Debug, Clone, PartialEq)]
pub struct Terms {
    /// `mining.configure`.
    pub configure: Answering,
    /// Version bits granted, if any.
    pub mask: u32,
    /// `mining.subscribe`.
    pub subscribe: Answering,
    /// What stands in the list of subscriptions.
    pub subscriptions: Subscriptions,
    /// Bytes of extranonce1.
    pub extranonce1_bytes: usize,
    /// Bytes of extranonce2, as announced; JSON, so that it can be nonsense.
    pub extranonce2: String,
    /// `mining.authorize`.
    pub authorize: Answering,
    /// `mining.suggest_difficulty`: good is `true` and no change of difficulty.
    pub suggest_difficulty: Answering,
    /// `mining.extranonce.subscribe`.
    pub extranonce_subscribe: Answering,
    /// `mining.submit`: good is by the share's proof.
    pub submit: Answering,
    /// How long replies to shares are held back.
    pub submit_delay: Span,
    /// Methods nobody knows.
    pub unknown: Answering,
    /// When replies go out.
    pub replying: Replying,
    /// How replies look.
    pub reply_style: ReplyStyle,
    /// When the first difficulty and job go out.
    pub first_job: FirstJob,
    /// A line to send before the reply to authorize, as it stands.
    pub before_authorize: Option<String>,
    /// A line to send before the reply to subscribe, as it stands.
    pub before_subscribe: Option<String>,
    /// Shares a second that the difficulty is made for.
    pub rate: f64,
    /// Closes every connection as soon as it is accepted.
    pub slam: bool,
    /// What jobs look like where the case does not say.
    pub job: JobSpec,
}

impl Default for Terms {
    /// A good pool.
    fn default() -> Self {
        Self {
            configure: Answering::Good,
            mask: VERSION_MASK,
            subscribe: Answering::Good,
            subscriptions: Subscriptions::Full,
            extranonce1_bytes: 4,
            extranonce2: "8".into(),
            authorize: Answering::Good,
            suggest_difficulty: Answering::Good,
            extranonce_subscribe: Answering::Good,
            submit: Answering::Good,
            submit_delay: Span(Seconds(0.0)),
            unknown: Answering::Good,
            replying: Replying::AtOnce,
            reply_style: ReplyStyle::Full,
            first_job: FirstJob::AfterAuthorize,
            before_authorize: None,
            before_subscribe: None,
            rate: 2.0,
            slam: false,
            job: JobSpec::default(),
        }
    }
}

impl Terms {
    /// These terms with what `change` says.
    #[must_use]
    pub fn changed(mut self, change: &TermsChange) -> Self {
        /// Copies what is there.
        macro_rules! take {
            ($($field:ident),*) => {
                $(if let Some(value) = &change.$field { self.$field = value.clone(); })*
            };
        }
        take!(configure, subscribe, subscriptions, extranonce1_bytes, authorize, suggest_difficulty);
        take!(extranonce_subscribe, submit, submit_delay, unknown, replying, reply_style, first_job);
        take!(rate, slam);
        if let Some(mask) = &change.mask {
            self.mask = hex::decode_u32(mask).unwrap_or_default();
        }
        if let Some(extranonce2) = &change.extranonce2 {
            // A text is JSON as it stands.
            self.extranonce2 = extranonce2.as_str().map_or_else(|| extranonce2.to_string(), str::to_owned);
        }
        if let Some(line) = &change.before_authorize {
            self.before_authorize = Some(line.clone()).filter(|line| !line.is_empty());
        }
        if let Some(line) = &change.before_subscribe {
            self.before_subscribe = Some(line.clone()).filter(|line| !line.is_empty());
        }
        if let Some(job) = &change.job {
            self.job = job.over(&self.job);
        }
        self
    }

    /// Bytes of extranonce2 as announced; `None` when it is no number that anybody could mean.
    #[must_use]
    pub fn extranonce2_bytes(&self) -> Option<usize> {
        self.extranonce2.parse().ok().filter(|bytes| *bytes <= EXTRANONCE2_BYTES_MAX)
    }

    /// Whether a session that was agreed on under `earlier` terms also serves under these.
    #[must_use]
    pub fn allows_session_of(&self, earlier: &Self) -> bool {
        (self.configure, self.mask, self.subscribe, self.authorize)
            == (earlier.configure, earlier.mask, earlier.subscribe, earlier.authorize)
            && (self.extranonce1_bytes, &self.extranonce2)
                == (earlier.extranonce1_bytes, &earlier.extranonce2)
            && (self.subscriptions, self.first_job) == (earlier.subscriptions, earlier.first_job)
            && (&self.before_authorize, &self.before_subscribe)
                == (&earlier.before_authorize, &earlier.before_subscribe)
    }
}

/// What is to change in [`Terms`]; what is absent stays.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[expect(missing_docs, reason = "each field is that of Terms with the same name")]
pub struct TermsChange {
    pub configure: Option<Answering>,
    pub mask: Option<String>,
    pub subscribe: Option<Answering>,
    pub subscriptions: Option<Subscriptions>,
    pub extranonce1_bytes: Option<usize>,
    pub extranonce2: Option<toml::Value>,
    pub authorize: Option<Answering>,
    pub suggest_difficulty: Option<Answering>,
    pub extranonce_subscribe: Option<Answering>,
    pub submit: Option<Answering>,
    pub submit_delay: Option<Span>,
    pub unknown: Option<Answering>,
    pub replying: Option<Replying>,
    pub reply_style: Option<ReplyStyle>,
    pub first_job: Option<FirstJob>,
    pub before_authorize: Option<String>,
    pub before_subscribe: Option<String>,
    pub rate: Option<f64>,
    pub slam: Option<bool>,
    pub job: Option<JobSpec>,
}

/// Where the extranonce stands in the coinbase.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExtranoncePlace {
    /// In the input's script.
    #[default]
    ScriptSig,
    /// In an OP_RETURN output.
    OpReturn,
}

/// A job to send; what is absent is as usual.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct JobSpec {
    /// A name for the judges and expectations of the case.
    pub label: Option<String>,
    /// Its id on the wire; the next free one when absent.
    pub id: Option<String>,
    /// `clean_jobs`.
    pub clean: Option<bool>,
    /// Whether it builds on another block than the one before.
    pub new_block: Option<bool>,
    /// Whether it is the same template as the one before (same coinbase, branch and ntime).
    pub same_template: Option<bool>,
    /// A real block's header and transactions: `genesis`-like golden jobs by name.
    pub golden: Option<String>,
    /// Siblings in the merkle branch.
    pub branches: Option<usize>,
    /// Bytes of the whole coinbase.
    pub coinbase_bytes: Option<usize>,
    /// Where the extranonce stands.
    pub extranonce_in: Option<ExtranoncePlace>,
    /// Block version, hexadecimal.
    pub version: Option<String>,
    /// Compact network target, hexadecimal.
    pub nbits: Option<String>,
    /// Seconds to add to the time for ntime.
    pub ntime_offset: Option<i64>,
    /// Seconds that ntime stands still at that of the job before; overrides the offset when true.
    pub ntime_fixed: Option<bool>,
    /// Parameters to replace: position and JSON.
    pub replace: Option<Vec<(usize, String)>>,
    /// Cuts the list of parameters to so many.
    pub params: Option<usize>,
    /// A parameter to put before the last, as JSON (some pools send ten).
    pub extra: Option<String>,
    /// How hexadecimal is written: `lower`, `upper`, `0x`, `odd`.
    pub hex: Option<String>,
}

impl JobSpec {
    /// This specification, and what `usual` says where it says nothing.
    #[must_use]
    pub fn over(&self, usual: &Self) -> Self {
        /// The first that says something.
        macro_rules! or {
            ($($field:ident),*) => {
                Self { $($field: self.$field.clone().or_else(|| usual.$field.clone())),* }
            };
        }
        or!(
            label,
            id,
            clean,
            new_block,
            same_template,
            golden,
            branches,
            coinbase_bytes,
            extranonce_in,
            version,
            nbits,
            ntime_offset,
            ntime_fixed,
            replace,
            params,
            extra,
            hex
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_absent_stays() {
        let change: TermsChange =
            toml::from_str("mask = \"00ff0000\"\nextranonce2 = -1\njob = { branches = 2 }").unwrap();
        let terms = Terms::default().changed(&change);
        assert_eq!((terms.mask, terms.extranonce2.as_str()), (0x00ff_0000, "-1"));
        assert_eq!(terms.extranonce2_bytes(), None);
        assert_eq!((terms.job.branches, terms.rate), (Some(2), 2.0));
        let change: TermsChange = toml::from_str("job = { clean = true }\nextranonce2 = \"null\"").unwrap();
        let terms = terms.changed(&change);
        assert_eq!((terms.job.branches, terms.job.clean), (Some(2), Some(true)));
        assert_eq!((terms.extranonce2.as_str(), terms.mask), ("null", 0x00ff_0000));
    }

    #[test]
    fn a_session_serves_as_long_as_what_was_agreed_is_the_same() {
        let terms = Terms::default();
        assert!(Terms { rate: 7.0, ..terms.clone() }.allows_session_of(&terms));
        assert!(!Terms { mask: 0, ..terms.clone() }.allows_session_of(&terms));
        assert!(!Terms { extranonce2: "4".into(), ..terms.clone() }.allows_session_of(&terms));
    }
}
