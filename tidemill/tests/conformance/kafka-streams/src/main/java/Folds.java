// Aggregates of a described topology. Their initializers give no value, because Kafka Streams passes it on as the value
// that the key had before: see the rules.

import com.fasterxml.jackson.databind.JsonNode;
import java.time.Duration;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.kstream.CogroupedKStream;
import org.apache.kafka.streams.kstream.EmitStrategy;
import org.apache.kafka.streams.kstream.KGroupedStream;
import org.apache.kafka.streams.kstream.KTable;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.SessionWindows;
import org.apache.kafka.streams.kstream.SlidingWindows;
import org.apache.kafka.streams.kstream.TimeWindowedKStream;
import org.apache.kafka.streams.kstream.TimeWindows;
import org.apache.kafka.streams.kstream.Windowed;
import org.apache.kafka.streams.state.BuiltInDslStoreSuppliers;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.SessionStore;
import org.apache.kafka.streams.state.WindowStore;

final class Folds {
    static Object node(Nodes nodes, JsonNode node) {
        return switch (node.get("op").asText()) {
            case "fold" -> fold(nodes, node);
            case "windowed" -> new Nodes.Windows(windowed(nodes, node,
                nodes.from(node).groupByKey().windowedBy(windows(node.get("window")))));
            case "sliding" -> new Nodes.Windows(windowed(nodes, node, nodes.from(node).groupByKey().windowedBy(
                SlidingWindows.ofTimeDifferenceAndGrace(Nodes.ms(node, "difference"), Nodes.ms(node, "grace")))));
            case "sessions" -> new Nodes.Windows(sessions(nodes, node));
            case "cogroup" -> cogroup(nodes, node);
            case "session_cogroup" -> new Nodes.Windows(cogrouped(nodes, node)
                .windowedBy(SessionWindows.ofInactivityGapAndGrace(Nodes.ms(node, "gap"), Nodes.ms(node, "grace")))
                .aggregate(() -> "", (key, one, other) -> Functions.list(one, "|", other, 0),
                    sessionRows(nodes, node)));
            case "sliding_cogroup" -> new Nodes.Windows(cogrouped(nodes, node)
                .windowedBy(SlidingWindows.ofTimeDifferenceAndGrace(
                    Nodes.ms(node, "difference"), Nodes.ms(node, "grace")))
                .aggregate(() -> null, rows(nodes, node)));
            default -> throw new IllegalArgumentException(node.toString());
        };
    }

    private static KTable<String, String> fold(Nodes nodes, JsonNode node) {
        KGroupedStream<String, String> grouped = nodes.from(node).groupByKey();
        String initial = node.has("initial") ? "" : null;
        return switch (Nodes.kind(node)) {
            case "count" -> grouped.count(nodes.<Long>store(node)).mapValues(String::valueOf);
            case "reduce" -> grouped.reduce(Functions::reduce, nodes.store(node));
            default -> grouped.aggregate(() -> initial,
                (key, value, list) -> Functions.list(list, ",", value, 0), nodes.store(node));
        };
    }

    private static KTable<Windowed<String>, String> windowed(Nodes nodes, JsonNode node,
                                                              TimeWindowedKStream<String, String> divided) {
        boolean close = node.get("close").asBoolean();
        long delete = node.path("delete").asLong();
        var windows = divided.emitStrategy(close ? EmitStrategy.onWindowClose() : EmitStrategy.onWindowUpdate());
        return switch (Nodes.kind(node)) {
            case "count" -> windows.count(Folds.<Long>rows(nodes, node).withValueSerde(Serdes.Long()))
                .mapValues(count -> count == null ? null : count.toString());
            case "reduce" -> windows.reduce(Functions::reduce, rows(nodes, node));
            default -> windows.aggregate(() -> null,
                (key, value, list) -> Functions.list(list, ",", value, delete), rows(nodes, node));
        };
    }

    private static KTable<Windowed<String>, String> sessions(Nodes nodes, JsonNode node) {
        boolean close = node.get("close").asBoolean();
        var sessions = nodes.from(node).groupByKey()
            .windowedBy(SessionWindows.ofInactivityGapAndGrace(Nodes.ms(node, "gap"), Nodes.ms(node, "grace")))
            .emitStrategy(close ? EmitStrategy.onWindowClose() : EmitStrategy.onWindowUpdate());
        return switch (Nodes.kind(node)) {
            case "count" -> sessions.count(Folds.<Long>sessionRows(nodes, node).withValueSerde(Serdes.Long()))
                .mapValues(count -> count == null ? null : count.toString());
            case "reduce" -> sessions.reduce(Functions::reduce, sessionRows(nodes, node));
            default -> sessions.aggregate(() -> "", (key, value, list) -> Functions.list(list, ",", value, 0),
                (key, one, other) -> Functions.list(one, "|", other, 0), sessionRows(nodes, node));
        };
    }

    /**
     * A store forgets a session one millisecond before it closes, and those that are emitted at their close. So sessions
     * are kept for longer. And final results come in the order of a store on disk: the one in memory has another.
     */
    private static <V> Materialized<String, V, SessionStore<Bytes, byte[]>> sessionRows(Nodes nodes, JsonNode node) {
        Materialized<String, V, SessionStore<Bytes, byte[]>> rows =
            Materialized.<String, V, SessionStore<Bytes, byte[]>>as(nodes.name()).withKeySerde(Serdes.String());
        if (node.has("forgetful")) {
            return rows;
        }
        return node.path("close").asBoolean()
            ? rows.withRetention(Duration.ofDays(1)).withStoreType(BuiltInDslStoreSuppliers.ROCKS_DB)
            : rows.withRetention(Nodes.ms(node, "gap").plus(Nodes.ms(node, "grace")).plusMillis(1));
    }

    private static CogroupedKStream<String, String> cogrouped(Nodes nodes, JsonNode node) {
        return nodes.from(node).groupByKey()
            .<String>cogroup((key, value, list) -> Functions.list(list, ",", value, 0))
            .cogroup(nodes.with(node).groupByKey(), (key, value, list) -> Functions.list(list, ";", value, 0));
    }

    private static Object cogroup(Nodes nodes, JsonNode node) {
        var cogrouped = cogrouped(nodes, node);
        if (node.get("window").isNull()) {
            return cogrouped.aggregate(() -> null, nodes.store());
        }
        return new Nodes.Windows(cogrouped.windowedBy(windows(node.get("window")))
            .aggregate(() -> null, rows(nodes, node)));
    }

    private static TimeWindows windows(JsonNode window) {
        return TimeWindows.ofSizeAndGrace(Nodes.ms(window, "size"), Nodes.ms(window, "grace"))
            .advanceBy(Nodes.ms(window, "advance"));
    }

    /**
     * Rows of windows that are emitted at their close are kept for longer. With the default retention, a record that
     * opens a window far ahead hides closed windows from the scan that should emit them, and their results are lost.
     * A sliding window is needed two milliseconds longer than by default: by the last record that may still open the
     * window behind its last one.
     */
    private static <V> Materialized<String, V, WindowStore<Bytes, byte[]>> rows(Nodes nodes, JsonNode node) {
        Materialized<String, V, WindowStore<Bytes, byte[]>> rows =
            Materialized.<String, V, WindowStore<Bytes, byte[]>>as(nodes.name()).withKeySerde(Serdes.String());
        if (node.has("forgetful")) {
            return rows;
        }
        if (node.path("close").asBoolean()) {
            return rows.withRetention(Duration.ofDays(1));
        }
        return node.has("difference")
            ? rows.withRetention(Nodes.ms(node, "difference").multipliedBy(2).plus(Nodes.ms(node, "grace")).plusMillis(2))
            : rows;
    }
}
