//! Every client library that a registry has, with every switch of the topology file at its default.

use super::word_count::Client;

macro_rules! clients {
    ($($module:ident: $name:literal, $scripts:literal, [$($beside:literal),*], [$($claim:ident),*];)*) => {
        $(mod $module {
            use super::Client;

            const CLIENT: Client =
                Client { name: $name, scripts: $scripts, beside: &[$($beside),*] };

            #[test]
            fn bolts_count_exactly() {
                CLIENT.bolts_count_exactly();
            }

            $(#[test]
            fn $claim() {
                CLIENT.$claim();
            })*
        })*
    };
}

clients! {
    storm_py: "storm.py", "storm-py", ["storm/storm.py"],
        [a_killed_bolt_loses_nothing, a_spout_is_counted_exactly, a_killed_spout_loses_nothing];
    storm_js: "storm.js", "storm-js", ["storm/storm.js"],
        [a_killed_bolt_loses_nothing, a_spout_is_counted_exactly, a_killed_spout_loses_nothing];
    storm_rb: "storm.rb", "storm-rb", ["storm/storm.rb"],
        [a_killed_bolt_loses_nothing, a_spout_is_counted_exactly, a_killed_spout_loses_nothing];
    storm_rb_0_9_2_without_heartbeats: "storm.rb", "storm-rb", ["storm-0.9.2/storm.rb"], [];
    storm_rb_0_9_3: "storm.rb", "storm-rb", ["storm-0.9.3/storm.rb"], [];
    storm_js_0_9_3: "storm.js", "storm-js", ["storm-0.9.3/storm.js"], [];
    pystorm: "pystorm", "pystorm", [],
        [a_killed_bolt_loses_nothing, a_spout_is_counted_exactly, a_killed_spout_loses_nothing];
    streamparse: "streamparse", "streamparse", [],
        [a_killed_bolt_loses_nothing, a_spout_is_counted_exactly, a_killed_spout_loses_nothing];
    streamparse_msgpack: "streamparse, msgpack", "streamparse", [],
        [a_killed_bolt_loses_nothing, a_spout_is_counted_exactly];
    pyleus: "pyleus", "pyleus", [], [a_killed_bolt_loses_nothing, a_spout_is_counted_exactly];
    petrel: "Petrel", "petrel", [], [a_killed_bolt_loses_nothing, a_spout_is_counted_exactly];
    node_storm: "node-storm", "node-storm", ["node/node_modules"],
        [a_killed_bolt_loses_nothing, a_spout_is_counted_exactly];
    storm_stream: "storm-stream", "storm-stream", ["node/node_modules"],
        [a_killed_bolt_loses_nothing];
    php: "PHP", "php", [], [a_killed_bolt_loses_nothing];
    perl: "Perl", "perl", [], [a_killed_bolt_loses_nothing];
}
