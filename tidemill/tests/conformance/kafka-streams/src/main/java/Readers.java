// Processors that read headers, rows, windows and versions.

import com.fasterxml.jackson.databind.JsonNode;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.StringJoiner;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeaders;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.serialization.StringSerializer;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.Named;
import org.apache.kafka.streams.kstream.Windowed;
import org.apache.kafka.streams.processor.api.FixedKeyProcessor;
import org.apache.kafka.streams.processor.api.FixedKeyProcessorContext;
import org.apache.kafka.streams.processor.api.FixedKeyRecord;
import org.apache.kafka.streams.state.KeyValueIterator;
import org.apache.kafka.streams.state.Stores;
import org.apache.kafka.streams.state.TimestampedKeyValueStore;
import org.apache.kafka.streams.state.TimestampedWindowStore;
import org.apache.kafka.streams.state.ValueAndTimestamp;
import org.apache.kafka.streams.state.VersionedKeyValueStore;
import org.apache.kafka.streams.state.VersionedRecord;
import org.apache.kafka.streams.state.WindowStoreIterator;

final class Readers {
    static KStream<String, String> headers(Nodes nodes, JsonNode node) {
        String kind = Nodes.kind(node);
        return nodes.from(node).processValues(() -> new OfHeaders(kind), Named.as("p" + nodes.size()));
    }

    static KStream<String, String> rows(StreamsBuilder builder, Nodes nodes, JsonNode node) {
        String store = nodes.name();
        String kind = Nodes.kind(node);
        builder.addStateStore(Stores.timestampedKeyValueStoreBuilder(
            Stores.inMemoryKeyValueStore(store), Serdes.String(), Serdes.String()));
        return nodes.from(node).processValues(() -> new Rows(store, kind), Named.as("p" + nodes.size()), store);
    }

    static KStream<String, String> windows(StreamsBuilder builder, Nodes nodes, JsonNode node) {
        String store = nodes.name();
        String kind = Nodes.kind(node);
        builder.addStateStore(Stores.timestampedWindowStoreBuilder(
            Stores.inMemoryWindowStore(store, Nodes.ms(node, "retention"), Duration.ofMillis(5), false),
            Serdes.String(), Serdes.String()));
        return nodes.from(node).processValues(() -> new Windows(store, kind), Named.as("p" + nodes.size()), store);
    }

    static KStream<String, String> versions(StreamsBuilder builder, Nodes nodes, JsonNode node) {
        String store = nodes.name();
        boolean ends = node.has("ends");
        builder.addStateStore(Stores.versionedKeyValueStoreBuilder(
            Stores.persistentVersionedKeyValueStore(store, Nodes.ms(node, "history")),
            Serdes.String(), Serdes.String()));
        return nodes.from(node).processValues(() -> new Versions(store, ends), Named.as("p" + nodes.size()), store);
    }

    private abstract static class Reader implements FixedKeyProcessor<String, String, String> {
        FixedKeyProcessorContext<String, String> context;

        @Override
        public void init(FixedKeyProcessorContext<String, String> context) {
            this.context = context;
        }

        void forward(FixedKeyRecord<String, String> record, String text) {
            context.forward(record.withValue(record.value() + " " + text));
        }

        static String key(FixedKeyRecord<String, String> record) {
            return record.key() == null ? "" : record.key();
        }
    }

    private static final class OfHeaders extends Reader {
        private final String kind;

        OfHeaders(String kind) {
            this.kind = kind;
        }

        @Override
        public void process(FixedKeyRecord<String, String> record) {
            // A copy: the headers of a record that is forwarded to several nodes are one object.
            RecordHeaders headers = new RecordHeaders(record.headers());
            switch (kind) {
                case "add" -> {
                    byte[] value = String.valueOf(Functions.hash(record.value())).getBytes(StandardCharsets.UTF_8);
                    headers.add("h", value);
                    context.forward(record.withHeaders(headers));
                }
                case "drop" -> context.forward(record.withHeaders(new RecordHeaders()));
                default -> {
                    Header last = headers.lastHeader("h");
                    String text = last == null ? "none"
                        : last.value() == null ? "null" : new String(last.value(), StandardCharsets.UTF_8);
                    context.forward(record.withValue(Functions.add(record.value(), "@" + text)));
                }
            }
        }
    }

    /** Keeps the last value of each key, or the first. A null value deletes. */
    private static final class Rows extends Reader {
        private final String store;
        private final String kind;

        Rows(String store, String kind) {
            this.store = store;
            this.kind = kind;
        }

        @Override
        public void process(FixedKeyRecord<String, String> record) {
            TimestampedKeyValueStore<String, String> rows = context.getStateStore(store);
            String key = key(record);
            ValueAndTimestamp<String> value = ValueAndTimestamp.make(record.value(), record.timestamp());
            if (kind.equals("absent") && value != null) {
                ValueAndTimestamp<String> before = rows.putIfAbsent(key, value);
                forward(record, before == null ? "" : key + ":" + before.value());
                return;
            }
            rows.put(key, value);
            if (kind.equals("absent")) {
                forward(record, "");
                return;
            }
            String first = key.isEmpty() ? "a" : key.substring(0, 1);
            StringJoiner text = new StringJoiner(" ");
            try (KeyValueIterator<String, ValueAndTimestamp<String>> found = switch (kind) {
                case "range" -> rows.range("a", key);
                case "reverse" -> rows.reverseRange(key, "c");
                default -> rows.prefixScan(first, new StringSerializer());
            }) {
                found.forEachRemaining(row -> text.add(row.key + ":" + row.value.value()));
            }
            forward(record, text.toString());
        }
    }

    /** Keeps the last value of each window of 5 ms. A null value deletes. */
    private static final class Windows extends Reader {
        private final String store;
        private final String kind;

        Windows(String store, String kind) {
            this.store = store;
            this.kind = kind;
        }

        @Override
        public void process(FixedKeyRecord<String, String> record) {
            TimestampedWindowStore<String, String> rows = context.getStateStore(store);
            long at = record.timestamp();
            rows.put(key(record), ValueAndTimestamp.make(record.value(), at), at / 5 * 5);
            Instant from = Instant.ofEpochMilli(Math.max(0, at - 12));
            // This end is inclusive, that of the Rust side is not.
            Instant to = Instant.ofEpochMilli(at + 7);
            StringJoiner text = new StringJoiner(" ");
            if (kind.equals("all")) {
                try (KeyValueIterator<Windowed<String>, ValueAndTimestamp<String>> found = rows.fetchAll(from, to)) {
                    while (found.hasNext()) {
                        KeyValue<Windowed<String>, ValueAndTimestamp<String>> row = found.next();
                        text.add(row.key.key() + row.key.window().start() + ":" + row.value.value());
                    }
                }
            } else {
                try (WindowStoreIterator<ValueAndTimestamp<String>> found = kind.equals("backward")
                    ? rows.backwardFetch(key(record), from, to) : rows.fetch(key(record), from, to)) {
                    while (found.hasNext()) {
                        KeyValue<Long, ValueAndTimestamp<String>> row = found.next();
                        text.add(row.key + ":" + row.value.value());
                    }
                }
            }
            forward(record, text.toString());
        }
    }

    private static final class Versions extends Reader {
        private final String store;
        private final boolean ends;

        Versions(String store, boolean ends) {
            this.store = store;
            this.ends = ends;
        }

        @Override
        public void process(FixedKeyRecord<String, String> record) {
            VersionedKeyValueStore<String, String> rows = context.getStateStore(store);
            long at = record.timestamp();
            String put;
            if (record.value() == null) {
                put = text(rows.delete(key(record), at));
            } else {
                long to = rows.put(key(record), record.value(), at);
                put = to == VersionedKeyValueStore.PUT_RETURN_CODE_VALID_TO_UNDEFINED ? "latest"
                    : to == VersionedKeyValueStore.PUT_RETURN_CODE_NOT_PUT ? "expired" : String.valueOf(to);
            }
            forward(record, put + " " + text(rows.get(key(record))) + " " + text(rows.get(key(record), at - 4)));
        }

        private String text(VersionedRecord<String> found) {
            return found == null ? "none" : found.value() + ":" + found.timestamp()
                + (ends && found.validTo().isPresent() ? "-" + found.validTo().get() : "");
        }
    }
}
