package peers;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicLong;

/**
 * How far the sinks of this process have come: a thread appends {@code nanoseconds total [histogram]} to
 * PEERS_DIR/tap-PID.txt, by the machine's monotonic clock. The driver does all the arithmetic.
 */
public final class Tap {
    private static final long EVERY_MS = 100;
    private static final List<AtomicLong> TOTALS = new CopyOnWriteArrayList<>();
    private static final Histogram LATENCIES = new Histogram();

    private final AtomicLong total = new AtomicLong();

    static {
        Path file = Path.of(System.getenv("PEERS_DIR"), "tap-" + ProcessHandle.current().pid() + ".txt");
        try {
            PrintWriter out = new PrintWriter(Files.newBufferedWriter(file));
            Thread writer = new Thread(() -> write(out), "tap");
            writer.setDaemon(true);
            writer.start();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** For one task. */
    public Tap() {
        TOTALS.add(total);
    }

    /** Called by one thread: an addition costs no fence. */
    public void add() {
        total.setRelease(total.getPlain() + 1);
    }

    /** Adds one that was due at {@code nanos} of {@link System#nanoTime}. */
    public void addDueAt(long nanos) {
        LATENCIES.add(System.nanoTime() - nanos);
        add();
    }

    private static void write(PrintWriter out) {
        try {
            while (true) {
                long sum = TOTALS.stream().mapToLong(AtomicLong::get).sum();
                if (sum > 0) {
                    out.println(System.nanoTime() + " " + sum + " " + LATENCIES);
                    out.flush();
                }
                Thread.sleep(EVERY_MS);
            }
        } catch (InterruptedException e) {
            out.close();
        }
    }
}
