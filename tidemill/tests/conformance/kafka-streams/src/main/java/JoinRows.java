// The rows of one side of a join, kept one millisecond longer than by default: until their window has closed.

import java.time.Duration;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.kstream.JoinWindows;
import org.apache.kafka.streams.state.Stores;
import org.apache.kafka.streams.state.WindowBytesStoreSupplier;
import org.apache.kafka.streams.state.WindowStore;

record JoinRows(String name, JoinWindows windows) implements WindowBytesStoreSupplier {
    private WindowBytesStoreSupplier rows() {
        return Stores.inMemoryWindowStore(
            name, Duration.ofMillis(retentionPeriod() + 1), Duration.ofMillis(windowSize()), true);
    }

    @Override
    public WindowStore<Bytes, byte[]> get() {
        return rows().get();
    }

    @Override
    public String metricsScope() {
        return rows().metricsScope();
    }

    @Override
    public long segmentIntervalMs() {
        return rows().segmentIntervalMs();
    }

    @Override
    public long windowSize() {
        return windows.size();
    }

    @Override
    public boolean retainDuplicates() {
        return true;
    }

    /** What a join demands, and not what the rows have. */
    @Override
    public long retentionPeriod() {
        return windows.size() + windows.gracePeriodMs();
    }
}
