//! Connections, requests, replies, lines.

use super::story::{Story, cannot_tell, fails, passes};
use crate::conformance::examiner::Listener;
use crate::conformance::log::{Closing, Fact};

#[test]
fn met() {
    passes("\"met\"", Story::new());
    passes("\"met\"", Story::new().fact(Fact::MissedOptional("a reply".into())));
    fails("\"met\"", Story::new().missed("2 shares within 60 s"), "2 shares within 60 s");
}

#[test]
fn alive() {
    passes("\"alive\"", Story::new().shares(2));
    passes("\"alive\"", Story::new().closed(Closing::ByPool).closed(Closing::Fin).again());
    fails(
        "\"alive\"",
        Story::new().told("{\"x\":1}").wait(2.0).closed(Closing::Fin),
        "2.0 s after the pool sent {\"x\":1}",
    );
    fails("\"alive\"", Story::new().closed(Closing::Rst), "reset connection 1");
    fails("\"alive\"", Story::new().closed(Closing::TimedOut), "no longer answered");
    fails("\"alive\"", Story::new().again(), "while connection 1 was open");
    passes("{ alive = { after = \"m\" } }", Story::new().closed(Closing::Rst).again().mark("m").shares(1));
    fails("{ alive = { after = \"m\" } }", Story::new().mark("m").closed(Closing::Rst), "reset");
    cannot_tell("{ alive = { after = \"m\" } }", Story::new());
    cannot_tell("\"alive\"", Story::empty());
}

#[test]
fn replies_carry_the_id_that_was_asked() {
    let asked = |id: &str| {
        Story::new().told(&format!("{{\"id\":{id},\"method\":\"client.get_version\",\"params\":[]}}"))
    };
    passes("\"reply\"", asked("7001").reply("7001", "\"v\""));
    passes("\"reply\"", asked("7001"));
    passes("\"reply\"", asked("9007199254740993").reply("9007199254740993", "\"v\""));
    fails("\"reply\"", asked("9007199254740993").reply("9007199254740992", "\"v\""), "9007199254740992");
    fails("\"reply\"", asked("\"seven\"").reply("0", "\"v\""), "another id than was asked: 0");
    fails("\"reply\"", asked("7").reply("\"7\"", "\"v\""), "another id");
    fails("{ reply = { required = true } }", asked("7"), "No reply came to the ids 7");
    passes("{ reply = { id = \"7\", result = \"true\" } }", asked("7").reply("7", "true"));
    fails("{ reply = { id = \"7\", result = \"true\" } }", asked("7").reply("7", "false"), "is false");
    fails("{ reply = { id = \"7\" } }", asked("7").reply("8", "true"), "No reply came");
    cannot_tell("{ reply = { id = \"7\" } }", Story::new());
    cannot_tell("\"reply\"", Story::new());
}

#[test]
fn requests() {
    let one = "{ requests = { method = \"mining.subscribe\", min = 1, max = 1 } }";
    passes(one, Story::new());
    passes(one, Story::new().closed(Closing::ByPool).again().request("mining.subscribe", "[]"));
    fails(one, Story::new().request("mining.subscribe", "[]"), "came 2 times on connection 1");
    fails(one, Story::empty().authorize("w"), "came 0 times");
    cannot_tell(one, Story::empty().opened(Listener::Main));

    let order = "{ request_before = { a = \"mining.configure\", b = \"mining.subscribe\" } }";
    passes(order, Story::empty().request("mining.configure", "[]").request("mining.subscribe", "[]"));
    passes(order, Story::empty().request("mining.configure", "[]"));
    fails(order, Story::new().request("mining.configure", "[]"), "came before mining.configure");
    fails(order, Story::new(), "without mining.configure");
    cannot_tell(order, Story::empty().authorize("w"));

    passes("{ asked = { method = \"mining.authorize\" } }", Story::new());
    cannot_tell("{ asked = { method = \"mining.configure\" } }", Story::new());
}

#[test]
fn reconnected() {
    let judge = "{ reconnected = { within = \"60s\", after = \"cut\" } }";
    let cut = || Story::new().mark("cut").closed(Closing::ByPool);
    passes(judge, cut().wait(5.0).again());
    fails(judge, cut().wait(61.0).again(), "after 61.0 s");
    fails(judge, cut().wait(90.0).mark("end"), "No connection came in 90.0 s");
    cannot_tell(judge, cut().wait(30.0).mark("end"));
    cannot_tell(judge, Story::new());
    // Each time the mark comes counts.
    fails(judge, cut().wait(5.0).again().wait(9.0).mark("cut").wait(70.0).again(), "after 70.0 s");
    passes("\"reconnected\"", Story::new().closed(Closing::ByPool).wait(1.0).again());
    cannot_tell("\"reconnected\"", Story::new());
}

#[test]
fn reconnects() {
    let judge = "{ reconnects = { per_minute_max = 20 } }";
    let storm = |count: usize, pause: f64| {
        (0..count).fold(Story::new(), |story, _| story.closed(Closing::ByPool).wait(pause).again())
    };
    passes(judge, storm(19, 1.0));
    passes(judge, storm(100, 4.0));
    fails(judge, storm(100, 2.0), "30 times in a minute");
    cannot_tell("{ reconnects = { per_minute_max = 20, after = \"m\" } }", storm(3, 1.0));

    let judge = "{ reconnects = { per_minute_max = 60, backs_off = true } }";
    fails(judge, storm(20, 5.0), "every 5.0 s, without end");
    let growing =
        (0..8).fold(Story::new(), |story, n| story.closed(Closing::ByPool).wait(f64::from(1 << n)).again());
    passes(judge, growing);
    let varied = (0..20).fold(Story::new(), |story, n| {
        story.closed(Closing::ByPool).wait(5.0 + f64::from(n * 7 % 5)).again()
    });
    passes(judge, varied);
    cannot_tell(judge, storm(3, 5.0));
}

#[test]
fn listeners() {
    let visited = "{ visited = { listener = \"moved\", after = \"m\", within = \"180s\" } }";
    passes(visited, Story::new().mark("m").wait(10.0).opened(Listener::Moved));
    fails(visited, Story::new().mark("m").wait(200.0).opened(Listener::Moved), "only after 200 s");
    fails(visited, Story::new().mark("m").wait(200.0).shares(1), "No connection came");
    cannot_tell(visited, Story::new().mark("m").wait(20.0).shares(1));
    cannot_tell(visited, Story::new());

    let not_visited = "{ not_visited = { listener = \"decoy\" } }";
    passes(not_visited, Story::new());
    fails(not_visited, Story::new().opened(Listener::Decoy), "connected to the decoy");
    cannot_tell("{ not_visited = { listener = \"decoy\", after = \"m\" } }", Story::new());
}

#[test]
fn well_formed() {
    let judge = "\"well_formed\"";
    passes(judge, Story::new().request("mining.submit", "[\"w\",\"1\",\"00\",\"66000000\",\"00000000\"]"));
    passes(judge, Story::new().request("mining.configure", "[[\"version-rolling\"],{}]"));
    fails(judge, Story::new().fact(Fact::BadLine("no JSON object".into())), "no JSON object");
    fails(judge, Story::new().said(&"x".repeat(5_000)), "longer than 4096 bytes");
    passes("{ well_formed = { bytes_max = 9000 } }", Story::new().said(&"x".repeat(5_000)));
    fails(
        judge,
        Story::new().request("mining.submit", "[\"w\",\"1\",\"00\",\"66000000\"]"),
        "without five texts",
    );
    fails(
        judge,
        Story::new().request("mining.submit", "[\"w\",1,\"00\",\"66000000\",\"00\"]"),
        "without five texts",
    );
    fails(judge, Story::new().request("mining.authorize", "{}"), "no list");
    let no_id = Fact::Request { method: "mining.submit".into(), id: None, params: "[]".into() };
    fails(judge, Story::new().fact(no_id), "without an id");
    cannot_tell(judge, Story::empty().opened(Listener::Main));
}

#[test]
fn worker() {
    passes("\"worker\"", Story::new().shares(2));
    passes("\"worker\"", Story::new().authorize("v").share_with(|share| share.worker = "v".into()));
    fails("\"worker\"", Story::new().share_with(|share| share.worker = "W".into()), "name \"W\"");
    // The session is older than the log.
    cannot_tell("\"worker\"", Story::empty().job("first").shares(2));
    cannot_tell("\"worker\"", Story::new());
}
