package peers.storm;

import java.util.Arrays;
import java.util.Map;
import org.apache.storm.StormSubmitter;
import org.apache.storm.shade.net.minidev.json.JSONObject;
import org.apache.storm.shade.net.minidev.json.JSONValue;
import org.apache.storm.topology.IRichBolt;
import org.apache.storm.topology.TopologyBuilder;
import org.apache.storm.tuple.Fields;

/** Submits one topology: {@code CASE PARALLELISM RATE CONFIGURATION-AS-JSON [COMMAND...]}. */
public final class Main {
    private Main() {
    }

    public static void main(String[] args) throws Exception {
        int parallelism = Integer.parseInt(args[1]);
        long rate = Long.parseLong(args[2]);
        Map<String, Object> conf = (JSONObject) JSONValue.parse(args[3]);
        TopologyBuilder builder = new TopologyBuilder();
        switch (args[0]) {
            case "word-count" -> wordCount(builder, new Bolts.Split(), parallelism);
            case "child" -> {
                String[] command = Arrays.copyOfRange(args, 4, args.length);
                wordCount(builder, new Bolts.ShellSplit(command), parallelism);
            }
            case "pass" -> {
                builder.setSpout("source", new Source(Source.Kind.CONSTANT, rate));
                builder.setBolt("identity", new Bolts.Identity()).shuffleGrouping("source");
                builder.setBolt("sink", new Bolts.Null()).shuffleGrouping("identity");
            }
            case "latency" -> {
                builder.setSpout("source", new Source(Source.Kind.DUE_TIMES, rate));
                builder.setBolt("sink", new Bolts.Latency()).shuffleGrouping("source");
            }
            default -> throw new IllegalArgumentException("no case " + args[0]);
        }
        StormSubmitter.submitTopology("peers", conf, builder.createTopology());
    }

    private static void wordCount(TopologyBuilder builder, IRichBolt split, int parallelism) {
        builder.setSpout("source", new Source(Source.Kind.SENTENCES, 0), parallelism);
        builder.setBolt("split", split, parallelism).shuffleGrouping("source");
        builder.setBolt("sink", new Bolts.WordCount(), parallelism).fieldsGrouping("split", new Fields("value"));
    }
}
