// Processors and transformers of a described topology.

import com.fasterxml.jackson.databind.JsonNode;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.kstream.Named;
import org.apache.kafka.streams.kstream.ValueTransformerWithKey;
import org.apache.kafka.streams.processor.PunctuationType;
import org.apache.kafka.streams.processor.api.FixedKeyProcessor;
import org.apache.kafka.streams.processor.api.FixedKeyProcessorContext;
import org.apache.kafka.streams.processor.api.FixedKeyRecord;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueIterator;
import org.apache.kafka.streams.state.Stores;
import org.apache.kafka.streams.state.TimestampedKeyValueStore;
import org.apache.kafka.streams.state.ValueAndTimestamp;

final class Processors {
    static Object process(StreamsBuilder builder, Nodes nodes, JsonNode node) {
        String store = store(builder, nodes);
        var every = Nodes.ms(node, "every");
        var by = node.get("stream_time").asBoolean() ? PunctuationType.STREAM_TIME : PunctuationType.WALL_CLOCK_TIME;
        return nodes.from(node).process(() -> new Keep(store, every, by), Named.as("p" + nodes.size()), store);
    }

    static Object processValues(StreamsBuilder builder, Nodes nodes, JsonNode node) {
        String store = store(builder, nodes);
        return nodes.from(node).processValues(() -> new Number(store), Named.as("p" + nodes.size()), store);
    }

    private static String store(StreamsBuilder builder, Nodes nodes) {
        String store = nodes.name();
        builder.addStateStore(Stores.timestampedKeyValueStoreBuilder(
            Stores.inMemoryKeyValueStore(store), Serdes.String(), Serdes.String()));
        return store;
    }

    /** Keeps the last value of each key, and emits them when it is called. */
    private static final class Keep implements Processor<String, String, String, String> {
        private final String store;
        private final Duration every;
        private final PunctuationType by;
        private ProcessorContext<String, String> context;
        private TimestampedKeyValueStore<String, String> rows;

        Keep(String store, Duration every, PunctuationType by) {
            this.store = store;
            this.every = every;
            this.by = by;
        }

        @Override
        public void init(ProcessorContext<String, String> context) {
            this.context = context;
            rows = context.getStateStore(store);
            context.schedule(every, by, this::emit);
        }

        @Override
        public void process(Record<String, String> record) {
            if (record.key() == null) {
                context.forward(record);
            } else {
                rows.put(record.key(), ValueAndTimestamp.make(record.value(), record.timestamp()));
            }
        }

        private void emit(long time) {
            List<KeyValue<String, ValueAndTimestamp<String>>> all = new ArrayList<>();
            try (KeyValueIterator<String, ValueAndTimestamp<String>> found = rows.all()) {
                found.forEachRemaining(all::add);
            }
            for (KeyValue<String, ValueAndTimestamp<String>> row : all) {
                rows.delete(row.key);
                context.forward(new Record<>(row.key, row.value.value(), time));
            }
        }
    }

    /** Numbers the values of each key. */
    private static final class Number implements FixedKeyProcessor<String, String, String> {
        private final String store;
        private FixedKeyProcessorContext<String, String> context;
        private TimestampedKeyValueStore<String, String> rows;

        Number(String store) {
            this.store = store;
        }

        @Override
        public void init(FixedKeyProcessorContext<String, String> context) {
            this.context = context;
            rows = context.getStateStore(store);
        }

        @Override
        public void process(FixedKeyRecord<String, String> record) {
            String key = record.key() == null ? "" : record.key();
            ValueAndTimestamp<String> before = rows.get(key);
            long number = before == null ? 0 : Long.parseLong(before.value());
            rows.put(key, ValueAndTimestamp.make(String.valueOf(number + 1), record.timestamp()));
            context.forward(record.withValue(Functions.add(record.value(), "#" + number)));
        }
    }

    /** Adds to the value. */
    record Add(String suffix) implements ValueTransformerWithKey<String, String, String> {
        @Override
        public void init(org.apache.kafka.streams.processor.ProcessorContext context) {}

        @Override
        public String transform(String key, String value) {
            return Functions.add(value, suffix);
        }

        @Override
        public void close() {}
    }
}
