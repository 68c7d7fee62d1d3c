import java.time.Duration;
import java.util.Arrays;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.GlobalKTable;
import org.apache.kafka.streams.kstream.Joined;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.KGroupedStream;
import org.apache.kafka.streams.kstream.KTable;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.kstream.SessionWindows;
import org.apache.kafka.streams.kstream.SlidingWindows;
import org.apache.kafka.streams.kstream.Suppressed;
import org.apache.kafka.streams.kstream.TimeWindows;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.SessionStore;
import org.apache.kafka.streams.state.Stores;
import org.apache.kafka.streams.state.WindowStore;

/** The topologies of sessions, sliding windows and tables. */
final class TableTopologies {
    private static final Serde<byte[]> BYTES = Topologies.BYTES;
    private static final Serde<Long> LONG = Serdes.Long();

    private TableTopologies() {}

    static void add(StreamsBuilder builder, String workload, String input, String output) {
        switch (workload) {
            case "session-count" -> sessions(builder, input, output);
            case "sliding-count" -> sliding(builder, input, output);
            case "suppress" -> suppress(builder, input, output);
            case "table-group" -> group(builder, input, output);
            case "table-join" -> join(builder, input, output);
            case "foreign-key" -> foreignKey(builder, input, output);
            case "global-join" -> global(builder, input, output);
            case "as-of-join" -> asOf(builder, input, output);
            case "cogroup" -> cogroup(builder, input, output);
            default -> throw new IllegalArgumentException("no workload is named " + workload);
        }
    }

    private static KGroupedStream<byte[], byte[]> grouped(StreamsBuilder builder, String input) {
        return builder.stream(input, Consumed.with(BYTES, BYTES)).groupByKey(Grouped.with(BYTES, BYTES));
    }

    private static KTable<byte[], byte[]> table(StreamsBuilder builder, String topic) {
        return builder.table(topic, Consumed.with(BYTES, BYTES),
                Materialized.<byte[], byte[], KeyValueStore<Bytes, byte[]>>as(topic + "-table")
                        .withKeySerde(BYTES).withValueSerde(BYTES));
    }

    /** Sessions with a gap of 150 ms and a second of grace. */
    private static void sessions(StreamsBuilder builder, String input, String output) {
        grouped(builder, input)
                .windowedBy(SessionWindows.ofInactivityGapAndGrace(Duration.ofMillis(150), Duration.ofSeconds(1)))
                .count(Materialized.<byte[], Long, SessionStore<Bytes, byte[]>>as("sessions")
                        .withKeySerde(BYTES).withValueSerde(LONG))
                .toStream((window, count) -> window.key())
                .to(output, Produced.with(BYTES, LONG));
    }

    /** Sliding windows of 300 ms with a second of grace. */
    private static void sliding(StreamsBuilder builder, String input, String output) {
        grouped(builder, input)
                .windowedBy(SlidingWindows.ofTimeDifferenceAndGrace(Duration.ofMillis(300), Duration.ofSeconds(1)))
                .count(Materialized.<byte[], Long, WindowStore<Bytes, byte[]>>as("sliding")
                        .withKeySerde(BYTES).withValueSerde(LONG))
                .toStream((window, count) -> window.key())
                .to(output, Produced.with(BYTES, LONG));
    }

    /** One-second windows with a second of grace, held back until they are closed. */
    private static void suppress(StreamsBuilder builder, String input, String output) {
        grouped(builder, input)
                .windowedBy(TimeWindows.ofSizeAndGrace(Duration.ofSeconds(1), Duration.ofSeconds(1)))
                .count(Materialized.<byte[], Long, WindowStore<Bytes, byte[]>>as("counts")
                        .withKeySerde(BYTES).withValueSerde(LONG))
                .suppress(Suppressed.untilWindowCloses(Suppressed.BufferConfig.unbounded()))
                .toStream((window, count) -> window.key())
                .to(output, Produced.with(BYTES, LONG));
    }

    /** How many streams have a last chat whose user begins alike. */
    private static void group(StreamsBuilder builder, String input, String output) {
        table(builder, input)
                .groupBy((key, chat) -> KeyValue.pair(user(chat), chat), Grouped.with(BYTES, BYTES))
                .count(Materialized.<byte[], Long, KeyValueStore<Bytes, byte[]>>as("groups")
                        .withKeySerde(BYTES).withValueSerde(LONG))
                .toStream()
                .to(output, Produced.with(BYTES, LONG));
    }

    private static void join(StreamsBuilder builder, String input, String output) {
        table(builder, input)
                .join(table(builder, "transcript"), TableTopologies::with)
                .toStream()
                .to(output, Produced.with(BYTES, BYTES));
    }

    /** Each stream's last chat with the last segment of the stream that the chat's text names. */
    private static void foreignKey(StreamsBuilder builder, String input, String output) {
        table(builder, input)
                .join(table(builder, "transcript"), TableTopologies::other, TableTopologies::with,
                        Materialized.with(BYTES, BYTES))
                .toStream()
                .to(output, Produced.with(BYTES, BYTES));
    }

    private static void global(StreamsBuilder builder, String input, String output) {
        GlobalKTable<byte[], byte[]> segments = builder.globalTable("transcript", Consumed.with(BYTES, BYTES),
                Materialized.<byte[], byte[], KeyValueStore<Bytes, byte[]>>as("segments")
                        .withKeySerde(BYTES).withValueSerde(BYTES));
        builder.stream(input, Consumed.with(BYTES, BYTES))
                .join(segments, (key, chat) -> other(chat), TableTopologies::with)
                .to(output, Produced.with(BYTES, BYTES));
    }

    /** Each chat with the segment that its stream had at that time; late segments have half a second to come. */
    private static void asOf(StreamsBuilder builder, String input, String output) {
        KTable<byte[], byte[]> segments = builder.table("transcript", Consumed.with(BYTES, BYTES),
                Materialized.<byte[], byte[]>as(
                                Stores.persistentVersionedKeyValueStore("segments", Duration.ofMinutes(1)))
                        .withKeySerde(BYTES).withValueSerde(BYTES));
        builder.stream(input, Consumed.with(BYTES, BYTES))
                .join(segments, TableTopologies::with,
                        Joined.with(BYTES, BYTES, BYTES, "as-of", Duration.ofMillis(500)))
                .to(output, Produced.with(BYTES, BYTES));
    }

    /** The chats and segments of each stream, counted together. */
    private static void cogroup(StreamsBuilder builder, String input, String output) {
        grouped(builder, input)
                .<Long>cogroup((key, chat, count) -> count + 1)
                .cogroup(grouped(builder, "transcript"), (key, segment, count) -> count + 1)
                .aggregate(() -> 0L, Materialized.<byte[], Long, KeyValueStore<Bytes, byte[]>>as("both")
                        .withKeySerde(BYTES).withValueSerde(LONG))
                .toStream()
                .to(output, Produced.with(BYTES, LONG));
    }

    /** The first two letters of the user. */
    private static byte[] user(byte[] chat) {
        return Arrays.copyOfRange(chat, 9, 11);
    }

    /** The stream that a chat names: one of ten, by a digit of its user. */
    private static byte[] other(byte[] chat) {
        return new byte[] {'s', 't', 'r', 'e', 'a', 'm', '-', chat[10]};
    }

    private static byte[] with(byte[] left, byte[] right) {
        byte[] both = Arrays.copyOf(left, left.length + right.length);
        System.arraycopy(right, 0, both, left.length, right.length);
        return both;
    }
}
