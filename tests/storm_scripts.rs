//! Scripts written for Storm that bring no client library of their own.

use super::harness::Project;

#[test]
fn storm_scripts_in_python_and_node_run_as_they_are() {
    let topology = r#"
name = "storm"
[spouts.lines]
type = "file"
config = { path = "input.txt" }
[bolts.split]
command = ["python3", "split.py"]
inputs = ["lines"]
outputs = ["word"]
[bolts.loud]
command = ["node", "loud.js"]
inputs = ["split"]
outputs = ["word"]
[bolts.count]
type = "count"
inputs = [{ from = "loud", grouping = { fields = ["word"] } }]
config = { emit = "final" }
[bolts.print]
type = "print"
inputs = ["count"]
"#;
    let split = "import storm\n\n\nclass Split(storm.BasicBolt):\n    def process(self, tup):\n        \
                 for word in tup.values[0].split(' '):\n            storm.emit([word])\n\n\n\
                 Split().run()\n";
    let loud = "const storm = require('storm');\n\nfunction Loud() { storm.BasicBolt.call(this); }\n\
                Loud.prototype = Object.create(storm.BasicBolt.prototype);\n\
                Loud.prototype.process = function (tup, done) {\n  \
                this.emit({ tuple: [tup.values[0].toUpperCase()], anchorTupleId: tup.id }, () => done());\n};\n\
                new Loud().run();\n";
    let input = "to be or not to be\n".repeat(500);
    let project = Project::new()
        .file("topology.toml", topology)
        .file("split.py", split)
        .file("loud.js", loud)
        .file("input.txt", &input);
    let ended = project.run(&[]).expect_code(0);
    let mut counts: Vec<_> = ended.out.lines().collect();
    counts.sort_unstable();
    assert_eq!(counts, ["BE\t1000", "NOT\t500", "OR\t500", "TO\t1000"], "{}", ended.err);
}
