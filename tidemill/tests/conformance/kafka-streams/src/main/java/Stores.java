// The rows of a case's stores: key, value, timestamp.

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.TreeSet;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.TopologyTestDriver;
import org.apache.kafka.streams.kstream.Windowed;
import org.apache.kafka.streams.processor.StateStore;
import org.apache.kafka.streams.state.KeyValueIterator;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.ValueAndTimestamp;
import org.apache.kafka.streams.state.WindowStore;

final class Stores {
    static void read(TopologyTestDriver driver, ObjectNode stores) {
        var all = driver.getAllStateStores();
        for (String name : new TreeSet<>(all.keySet())) {
            StateStore store = all.get(name);
            if (!name.matches("s[0-9]+")) {
                continue;
            }
            ArrayNode rows = stores.putArray(name);
            if (store instanceof WindowStore) {
                try (KeyValueIterator<Windowed<String>, ValueAndTimestamp<Object>> found =
                    driver.<String, Object>getTimestampedWindowStore(name).all()) {
                    while (found.hasNext()) {
                        KeyValue<Windowed<String>, ValueAndTimestamp<Object>> row = found.next();
                        rows.addArray().add(row.key.key() + " " + row.key.window().start())
                            .add(String.valueOf(row.value.value())).addNull();
                    }
                }
            } else if (store instanceof KeyValueStore) {
                try (KeyValueIterator<String, ValueAndTimestamp<Object>> found =
                    driver.<String, Object>getTimestampedKeyValueStore(name).all()) {
                    while (found.hasNext()) {
                        KeyValue<String, ValueAndTimestamp<Object>> row = found.next();
                        rows.addArray().add(row.key).add(String.valueOf(row.value.value()))
                            .add(row.value.timestamp());
                    }
                }
            } else {
                stores.remove(name);
            }
        }
    }
}
