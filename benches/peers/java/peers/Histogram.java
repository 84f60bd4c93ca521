package peers;

import java.util.concurrent.atomic.AtomicLongArray;

/** Counts of nanoseconds in buckets that are at most 1/64 wide of their value. */
public final class Histogram {
    private static final int BITS = 6;
    private static final int SUB = 1 << BITS;

    private final AtomicLongArray buckets = new AtomicLongArray(SUB * (65 - BITS));

    public void add(long nanos) {
        buckets.getAndIncrement(index(Math.max(nanos, 0)));
    }

    private static int index(long value) {
        int shift = Math.max(0, 63 - BITS - Long.numberOfLeadingZeros(value | SUB));
        return shift * SUB + (int) (value >>> shift);
    }

    /** The upper end of a bucket. */
    private static long nanos(int index) {
        int shift = Math.max(0, index / SUB - 1);
        return (long) (index - shift * SUB + 1) << shift;
    }

    /** What is not empty, as {@code upper-nanos:count,...}, since the start. */
    @Override
    public String toString() {
        StringBuilder text = new StringBuilder();
        for (int i = 0; i < buckets.length(); i++) {
            long count = buckets.get(i);
            if (count > 0) {
                text.append(text.length() == 0 ? "" : ",").append(nanos(i)).append(':').append(count);
            }
        }
        return text.toString();
    }
}
