package peers.flink;

import org.apache.flink.configuration.CheckpointingOptions;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.JobManagerOptions;
import org.apache.flink.configuration.RestOptions;
import org.apache.flink.configuration.TaskManagerOptions;
import org.apache.flink.core.execution.CheckpointingMode;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;

/**
 * Runs one job: {@code CASE PARALLELISM CHECKPOINT-MS BUFFER-TIMEOUT-MS RATE PORT}. It runs in this process,
 * or, where a port is not 0, on the cluster whose REST endpoint is there.
 */
public final class Main {
    private static final String HOST = "127.0.0.1";

    private Main() {
    }

    public static void main(String[] args) throws Exception {
        int port = Integer.parseInt(args[5]);
        StreamExecutionEnvironment env = port == 0
                ? StreamExecutionEnvironment.createLocalEnvironment(1, configuration())
                : StreamExecutionEnvironment.createRemoteEnvironment(HOST, port, configuration());
        env.setParallelism(Integer.parseInt(args[1]));
        long checkpoint = Long.parseLong(args[2]);
        if (checkpoint > 0) {
            env.enableCheckpointing(checkpoint, CheckpointingMode.AT_LEAST_ONCE);
        }
        env.setBufferTimeout(Long.parseLong(args[3]));
        switch (args[0]) {
            case "word-count" -> Jobs.wordCount(env);
            case "pass" -> Jobs.pass(env);
            case "latency" -> Jobs.latency(env, Long.parseLong(args[4]));
            default -> throw new IllegalArgumentException("no case " + args[0]);
        }
        env.execute("peers");
    }

    private static Configuration configuration() {
        Configuration conf = new Configuration();
        conf.set(CheckpointingOptions.CHECKPOINT_STORAGE, "filesystem");
        conf.set(CheckpointingOptions.CHECKPOINTS_DIRECTORY, "file://" + System.getenv("PEERS_DIR") + "/checkpoints");
        conf.set(JobManagerOptions.BIND_HOST, HOST);
        conf.set(TaskManagerOptions.BIND_HOST, HOST);
        conf.set(RestOptions.BIND_ADDRESS, HOST);
        conf.set(RestOptions.BIND_PORT, "0");
        conf.set(TaskManagerOptions.NUM_TASK_SLOTS, 4);
        return conf;
    }
}
