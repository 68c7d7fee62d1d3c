// Steps of tables of a described topology.

import com.fasterxml.jackson.databind.JsonNode;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.KGroupedTable;
import org.apache.kafka.streams.kstream.KTable;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Predicate;
import org.apache.kafka.streams.kstream.Suppressed;
import org.apache.kafka.streams.kstream.TableJoined;
import org.apache.kafka.streams.kstream.ValueMapper;
import org.apache.kafka.streams.state.KeyValueStore;

final class Tables {
    static Object node(Nodes nodes, JsonNode node) {
        boolean stored = node.path("stored").asBoolean();
        Object from = nodes.at(node, "from");
        long mod = node.path("mod").asLong();
        long is = node.path("is").asLong();
        String add = node.path("add").asText();
        ValueMapper<String, String> mapper = value -> Functions.add(value, add);
        switch (node.get("op").asText()) {
            case "table_filter": {
                if (from instanceof Nodes.Windows windows) {
                    return new Nodes.Windows(windows.table().filter((key, value) -> Functions.is(value, mod, is)));
                }
                Predicate<String, String> predicate = (key, value) -> Functions.is(value, mod, is);
                var table = nodes.table(node, "from");
                return stored ? table.filter(predicate, nodes.<String>store(node)) : table.filter(predicate);
            }
            case "table_filter_not": {
                if (from instanceof Nodes.Windows windows) {
                    return new Nodes.Windows(windows.table().filterNot((key, value) -> Functions.is(value, mod, is)));
                }
                Predicate<String, String> predicate = (key, value) -> Functions.is(value, mod, is);
                var table = nodes.table(node, "from");
                return stored ? table.filterNot(predicate, nodes.store()) : table.filterNot(predicate);
            }
            case "transform_values": {
                var table = nodes.table(node, "from");
                return stored ? table.transformValues(() -> new Processors.Add(add), nodes.store())
                    : table.transformValues(() -> new Processors.Add(add));
            }
            case "table_map_values": {
                if (from instanceof Nodes.Windows windows) {
                    return new Nodes.Windows(windows.table().mapValues(mapper));
                }
                var table = nodes.table(node, "from");
                return stored ? table.mapValues(mapper, nodes.<String>store(node)) : table.mapValues(mapper);
            }
            case "group_table": {
                Grouped<String, String> grouped = Grouped.with("g" + nodes.size(), Serdes.String(), Serdes.String());
                var groups = from instanceof Nodes.Windows windows
                    ? windows.table().groupBy((key, value) -> KeyValue.pair(Functions.key(value, mod), value), grouped)
                    : nodes.table(node, "from")
                        .groupBy((key, value) -> KeyValue.pair(Functions.key(value, mod), value), grouped);
                return fold(nodes, groups, node);
            }
            case "join_tables":
                return join(nodes, node, stored);
            case "suppress":
                return suppress(nodes, node, from);
            case "join_foreign": {
                var joined = TableJoined.<String, String>as("f" + nodes.size());
                KTable<String, String> left = nodes.table(node, "from");
                KTable<String, String> right = nodes.table(node, "with");
                Materialized<String, String, KeyValueStore<Bytes, byte[]>> rows =
                    stored ? nodes.store() : Materialized.with(Serdes.String(), Serdes.String());
                return Nodes.kind(node).equals("inner")
                    ? left.join(right, Functions::foreign, Functions::both, joined, rows)
                    : left.leftJoin(right, Functions::foreign, Functions::both, joined, rows);
            }
            case "to_table":
                return nodes.from(node).toTable(nodes.store(node));
            default:
                throw new IllegalArgumentException(node.toString());
        }
    }

    private static KTable<String, String> fold(Nodes nodes, KGroupedTable<String, String> groups, JsonNode node) {
        return switch (Nodes.kind(node)) {
            case "count" -> groups.count(nodes.<Long>store(node)).mapValues(String::valueOf);
            case "reduce" -> groups.reduce((all, value) -> Functions.list(all, "/", value, 0), Functions::without,
                nodes.store(node));
            default -> groups.aggregate(() -> "", (key, value, all) -> Functions.list(all, ",", value, 0),
                (key, value, all) -> Functions.without(all, value), nodes.store(node));
        };
    }

    private static KTable<String, String> join(Nodes nodes, JsonNode node, boolean stored) {
        KTable<String, String> left = nodes.table(node, "from");
        KTable<String, String> right = nodes.table(node, "with");
        return switch (Nodes.kind(node)) {
            case "inner" -> stored ? left.join(right, Functions::both, nodes.<String>store(node)) : left.join(right, Functions::both);
            case "left" -> stored ? left.leftJoin(right, Functions::both, nodes.<String>store(node))
                : left.leftJoin(right, Functions::both);
            default -> stored ? left.outerJoin(right, Functions::both, nodes.<String>store(node))
                : left.outerJoin(right, Functions::both);
        };
    }

    private static Object suppress(Nodes nodes, JsonNode node, Object from) {
        if (node.get("wait").isNull()) {
            return new Nodes.Windows(((Nodes.Windows) from).table()
                .suppress(Suppressed.untilWindowCloses(Suppressed.BufferConfig.unbounded())));
        }
        var wait = Nodes.ms(node, "wait");
        if (from instanceof Nodes.Windows windows) {
            return new Nodes.Windows(windows.table().suppress(node.has("keys")
                ? Suppressed.untilTimeLimit(wait, Suppressed.BufferConfig.maxRecords(node.get("keys").asLong()))
                : Suppressed.untilTimeLimit(wait, Suppressed.BufferConfig.unbounded())));
        }
        return nodes.table(node, "from").suppress(node.has("keys")
            ? Suppressed.untilTimeLimit(wait, Suppressed.BufferConfig.maxRecords(node.get("keys").asLong()))
            : Suppressed.untilTimeLimit(wait, Suppressed.BufferConfig.unbounded()));
    }
}
