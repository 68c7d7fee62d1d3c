// Builds a described topology: each node by its place in the list.

import com.fasterxml.jackson.databind.JsonNode;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.kstream.Branched;
import org.apache.kafka.streams.kstream.GlobalKTable;
import org.apache.kafka.streams.kstream.JoinWindows;
import org.apache.kafka.streams.kstream.Joined;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.KTable;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Named;
import org.apache.kafka.streams.kstream.Repartitioned;
import org.apache.kafka.streams.kstream.StreamJoined;
import org.apache.kafka.streams.kstream.Windowed;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.Stores;

final class Nodes {
    private final StreamsBuilder builder;
    private final JsonNode asked;
    private final List<Object> nodes = new ArrayList<>();

    Nodes(StreamsBuilder builder, JsonNode asked) {
        this.builder = builder;
        this.asked = asked;
    }

    void build() {
        for (JsonNode node : asked.get("nodes")) {
            nodes.add(node(node));
        }
        for (JsonNode output : asked.get("outputs")) {
            toStream(nodes.get(output.asInt())).to("out-" + output.asInt());
        }
    }

    private Object node(JsonNode node) {
        long mod = node.path("mod").asLong();
        long is = node.path("is").asLong();
        return switch (node.get("op").asText()) {
            case "stream" -> builder.<String, String>stream(node.get("topic").asText());
            case "table" -> builder.table(node.get("topic").asText(), store());
            case "versioned_table" -> builder.table(node.get("topic").asText(), Materialized.<String, String>as(
                Stores.persistentVersionedKeyValueStore(name(), ms(node, "history"))));
            case "global_table" -> builder.globalTable(node.get("topic").asText(), store());
            case "filter" -> from(node).filter((key, value) -> Functions.is(value, mod, is));
            case "filter_not" -> from(node).filterNot((key, value) -> Functions.is(value, mod, is));
            case "map_values" -> {
                String add = node.get("add").asText();
                yield from(node).mapValues(value -> Functions.add(value, add));
            }
            case "null_values" -> from(node).mapValues(value -> Functions.is(value, mod, 0) ? null : value);
            case "map" -> {
                String add = node.get("add").asText();
                yield from(node).map((key, value) ->
                    KeyValue.pair(Functions.key(value, mod), Functions.add(value, add)));
            }
            case "flat_map_values" -> from(node).flatMapValues(value -> Functions.copies(value, mod));
            case "flat_map" -> from(node).flatMap((key, value) -> Functions.copies(value, mod).stream()
                .map(copy -> KeyValue.pair(Functions.key(copy, 3), copy)).toList());
            case "select_key" -> from(node).selectKey((key, value) -> Functions.key(value, mod));
            case "null_keys" -> from(node).selectKey((key, value) -> Functions.is(value, mod, 0) ? null : key);
            case "merge" -> from(node).merge(with(node));
            case "split" -> split(node);
            case "branch" -> branch(node);
            // Kafka Streams loses records without a key there, but for those that an outer join waits for.
            case "repartition" -> from(node).filter((key, value) -> node.has("keyless") || key != null).repartition(Repartitioned.as("r" + nodes.size()));
            case "join_streams" -> joinStreams(node);
            case "join_table" -> joinTable(node);
            case "join_global" -> joinGlobal(node);
            case "process" -> Processors.process(builder, this, node);
            case "process_values" -> Processors.processValues(builder, this, node);
            case "headers" -> Readers.headers(this, node);
            case "process_rows" -> Readers.rows(builder, this, node);
            case "process_windows" -> Readers.windows(builder, this, node);
            case "process_versions" -> Readers.versions(builder, this, node);
            case "fold", "windowed", "sessions", "sliding", "cogroup", "session_cogroup", "sliding_cogroup" ->
                Folds.node(this, node);
            default -> Tables.node(this, node);
        };
    }

    private Object joinTable(JsonNode node) {
        KTable<String, String> table = table(node, "with");
        Joined<String, String, String> joined = Joined.as("w" + nodes.size());
        if (node.has("waits")) {
            joined = joined.withGracePeriod(ms(node, "waits"));
        }
        return kind(node).equals("left") ? from(node).leftJoin(table, Functions::both, joined)
            : from(node).join(table, Functions::both, joined);
    }

    private Object joinStreams(JsonNode node) {
        JoinWindows windows = JoinWindows.ofTimeDifferenceAndGrace(Duration.ZERO, ms(node, "grace"))
            .before(ms(node, "before")).after(ms(node, "after"));
        StreamJoined<String, String, String> joined = StreamJoined.<String, String, String>as("j" + nodes.size());
        if (!node.has("forgetful")) {
            joined = joined.withThisStoreSupplier(new JoinRows("j" + nodes.size() + "-this", windows))
                .withOtherStoreSupplier(new JoinRows("j" + nodes.size() + "-other", windows));
        }
        return switch (kind(node)) {
            case "inner" -> from(node).join(with(node), Functions::both, windows, joined);
            case "left" -> from(node).leftJoin(with(node), Functions::both, windows, joined);
            default -> from(node).outerJoin(with(node), Functions::both, windows, joined);
        };
    }

    @SuppressWarnings("unchecked")
    private Object joinGlobal(JsonNode node) {
        var table = (GlobalKTable<String, String>) at(node, "with");
        return kind(node).equals("left")
            ? from(node).leftJoin(table, (key, value) -> Functions.foreign(value), Functions::both)
            : from(node).join(table, (key, value) -> Functions.foreign(value), Functions::both);
    }

    private Map<String, KStream<String, String>> split(JsonNode node) {
        var split = from(node).split(Named.as("split" + nodes.size() + "-"));
        int number = 0;
        for (JsonNode mod : node.get("mods")) {
            long by = mod.asLong();
            split = split.branch((key, value) -> Functions.is(value, by, 0), Branched.as("" + number++));
        }
        return split.defaultBranch(Branched.as("" + number));
    }

    @SuppressWarnings("unchecked")
    private KStream<String, String> branch(JsonNode node) {
        int from = node.get("from").asInt();
        var branches = (Map<String, KStream<String, String>>) nodes.get(from);
        return branches.get("split" + from + "-" + node.get("branch").asInt());
    }

    static Duration ms(JsonNode node, String name) {
        return Duration.ofMillis(node.get(name).asLong());
    }

    static String kind(JsonNode node) {
        return node.get("kind").asText();
    }

    int size() {
        return nodes.size();
    }

    String name() {
        return "s" + nodes.size();
    }

    Materialized<String, String, KeyValueStore<Bytes, byte[]>> store() {
        return Materialized.<String, String, KeyValueStore<Bytes, byte[]>>as(name()).withKeySerde(Serdes.String());
    }

    /** With versions, if the node has some. */
    <V> Materialized<String, V, KeyValueStore<Bytes, byte[]>> store(JsonNode node) {
        Materialized<String, V, KeyValueStore<Bytes, byte[]>> store = node.has("versions")
            ? Materialized.as(Stores.persistentVersionedKeyValueStore(name(), ms(node, "versions")))
            : Materialized.as(name());
        return store.withKeySerde(Serdes.String());
    }

    /** The records of a stream, or the changes of a table. */
    KStream<String, String> from(JsonNode node) {
        return toStream(nodes.get(node.get("from").asInt()));
    }

    KStream<String, String> with(JsonNode node) {
        return toStream(nodes.get(node.get("with").asInt()));
    }

    @SuppressWarnings("unchecked")
    KTable<String, String> table(JsonNode node, String name) {
        return (KTable<String, String>) nodes.get(node.get(name).asInt());
    }

    Object at(JsonNode node, String name) {
        return nodes.get(node.get(name).asInt());
    }

    /** A windowed key becomes text. */
    @SuppressWarnings("unchecked")
    static KStream<String, String> toStream(Object node) {
        if (node instanceof KStream<?, ?> stream) {
            return (KStream<String, String>) stream;
        }
        if (node instanceof Windows windows) {
            return windows.table().toStream().map((key, value) -> KeyValue.pair(flat(key), value));
        }
        return ((KTable<String, String>) node).toStream();
    }

    static String flat(Windowed<String> key) {
        return key.key() + " " + key.window().start() + " " + key.window().end();
    }

    /** A table with windowed keys. */
    record Windows(KTable<Windowed<String>, String> table) {}
}
