package peers;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** The input that all systems share: the lines of the file that PEERS_SENTENCES names, round and round. */
public final class Sentences {
    private static final String[] LINES = read();

    private Sentences() {
    }

    public static String at(long index) {
        return LINES[(int) (index % LINES.length)];
    }

    private static String[] read() {
        try {
            return Files.readAllLines(Path.of(System.getenv("PEERS_SENTENCES"))).toArray(String[]::new);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
