import java.nio.ByteBuffer;
import java.time.Duration;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.EmitStrategy;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.JoinWindows;
import org.apache.kafka.streams.kstream.KGroupedStream;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.kstream.StreamJoined;
import org.apache.kafka.streams.kstream.TimeWindows;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.WindowStore;

/** The topologies of Kafka Streams. Tidemill's program has a topology of the same name for each. */
final class Topologies {
    static final Serde<byte[]> BYTES = Serdes.ByteArray();

    private Topologies() {}

    static Topology named(String workload, String input, String output) {
        StreamsBuilder builder = new StreamsBuilder();
        switch (workload) {
            case "pass" -> builder.stream(input, Consumed.with(BYTES, BYTES)).to(output, Produced.with(BYTES, BYTES));
            case "count-update" -> count(builder, input, output, EmitStrategy.onWindowUpdate());
            case "count-final" -> count(builder, input, output, EmitStrategy.onWindowClose());
            case "join" -> join(builder, input, output);
            case "pose-final" -> collect(builder, input, output);
            case "table" -> table(builder, input, output);
            default -> TableTopologies.add(builder, workload, input, output);
        }
        return builder.build();
    }

    private static KGroupedStream<byte[], byte[]> grouped(StreamsBuilder builder, String input) {
        return builder.stream(input, Consumed.with(BYTES, BYTES)).groupByKey(Grouped.with(BYTES, BYTES));
    }

    /** One-minute windows with five seconds of grace. */
    private static void count(StreamsBuilder builder, String input, String output, EmitStrategy emit) {
        grouped(builder, input)
                .windowedBy(TimeWindows.ofSizeAndGrace(Duration.ofSeconds(60), Duration.ofSeconds(5)))
                .emitStrategy(emit)
                .count(Materialized.<byte[], Long, WindowStore<Bytes, byte[]>>as("counts")
                        .withKeySerde(BYTES).withValueSerde(Serdes.Long()))
                .toStream((window, count) -> window.key())
                .to(output, Produced.with(BYTES, Serdes.Long()));
    }

    /** Each segment of a transcript with the chats of half a second before and after it, with a second of grace. */
    private static void join(StreamsBuilder builder, String input, String output) {
        Consumed<byte[], byte[]> bytes = Consumed.with(BYTES, BYTES);
        builder.stream("transcript", bytes)
                .leftJoin(builder.stream(input, bytes), Topologies::with,
                        JoinWindows.ofTimeDifferenceAndGrace(Duration.ofMillis(500), Duration.ofSeconds(1)),
                        StreamJoined.with(BYTES, BYTES, BYTES).withName("join"))
                .to(output, Produced.with(BYTES, BYTES));
    }

    /** Joins a segment with a chat that was written at the same time. */
    private static byte[] with(byte[] segment, byte[] chat) {
        if (chat == null) {
            return segment;
        }
        return ByteBuffer.allocate(segment.length + chat.length).put(segment).put(chat).array();
    }

    /** Three-second windows with one second of grace. The frames of each window are concatenated. */
    private static void collect(StreamsBuilder builder, String input, String output) {
        grouped(builder, input)
                .windowedBy(TimeWindows.ofSizeAndGrace(Duration.ofSeconds(3), Duration.ofSeconds(1)))
                .emitStrategy(EmitStrategy.onWindowClose())
                .aggregate(() -> new byte[0], (key, frame, frames) -> append(frames, frame),
                        Materialized.<byte[], byte[], WindowStore<Bytes, byte[]>>as("frames")
                                .withKeySerde(BYTES).withValueSerde(BYTES))
                .toStream((window, frames) -> window.key())
                .to(output, Produced.with(BYTES, BYTES));
    }

    /** A table of the last value of each key, for the restore benchmark. */
    private static void table(StreamsBuilder builder, String input, String output) {
        grouped(builder, input)
                .reduce((old, latest) -> latest,
                        Materialized.<byte[], byte[], KeyValueStore<Bytes, byte[]>>as("table")
                                .withKeySerde(BYTES).withValueSerde(BYTES))
                .toStream()
                .to(output, Produced.with(BYTES, BYTES));
    }

    private static byte[] append(byte[] frames, byte[] frame) {
        ByteBuffer longer = ByteBuffer.allocate(frames.length + Integer.BYTES + frame.length);
        return longer.put(frames).putInt(frame.length).put(frame).array();
    }
}
