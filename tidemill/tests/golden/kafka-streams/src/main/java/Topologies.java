// The topologies by name. Their twins are in the test that reads what is written here.

import java.time.Duration;
import java.util.List;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.kstream.Branched;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.EmitStrategy;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.JoinWindows;
import org.apache.kafka.streams.kstream.Joined;
import org.apache.kafka.streams.kstream.KGroupedStream;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.KTable;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Named;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.kstream.SessionWindowedKStream;
import org.apache.kafka.streams.kstream.SessionWindows;
import org.apache.kafka.streams.kstream.SlidingWindows;
import org.apache.kafka.streams.kstream.StreamJoined;
import org.apache.kafka.streams.kstream.TimeWindowedKStream;
import org.apache.kafka.streams.kstream.TimeWindows;
import org.apache.kafka.streams.kstream.Windowed;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.Stores;
import org.apache.kafka.streams.state.WindowStore;

final class Topologies {
    private static final Serde<String> TEXT = Serdes.String();

    static void build(String name, StreamsBuilder builder) {
        String[] words = name.split("-");
        KStream<String, String> in = builder.stream("in", Consumed.with(TEXT, TEXT));
        KGroupedStream<String, String> grouped = in.groupByKey(Grouped.with(TEXT, TEXT));
        switch (words[0]) {
            case "windowed" -> windowed(words[1], grouped.windowedBy(windows(words[2])).emitStrategy(emit(words[3])),
                words.length > 4 ? Materialized.with(TEXT, null) : kept());
            case "sessions" -> sessions(words[1], grouped.windowedBy(gaps(words[2])).emitStrategy(emit(words[3])));
            case "collect" -> windowed("aggregate", grouped.windowedBy(windows(words[1])).emitStrategy(emit("close")),
                kept());
            case "sliding" -> windowed(words[1], grouped.windowedBy(sliding(words[2])).emitStrategy(emit(words[3])),
                kept());
            case "count" -> grouped.count().toStream().mapValues(String::valueOf).to("out");
            case "reduce" -> grouped.reduce(Topologies::reduce).toStream().to("out");
            case "aggregate" -> grouped.aggregate(() -> "", Topologies::last, Materialized.with(TEXT, TEXT)).toStream()
                .to("out");
            case "joins" -> {
                KTable<String, String> table = builder.table("table", Consumed.with(TEXT, TEXT));
                in.join(table, (left, right) -> left + "+" + right).to("out-inner");
                in.leftJoin(table, (left, right) -> left + "+" + right).to("out-left");
                table.toStream().to("out-table");
            }
            case "versioned" -> versioned(words, builder, in, grouped);
            case "steps" -> {
                in.filter((key, value) -> number(value) % 3 != 0)
                    .flatMapValues(value -> List.of(value, value + "b"))
                    .map((key, value) -> KeyValue.pair(key + "m", value)).to("out-mapped");
                in.mapValues(value -> value + "l").merge(in.mapValues(value -> value + "r")).to("out-merged");
                var branches = in.split(Named.as("b"))
                    .branch((key, value) -> number(value) % 2 == 0, Branched.as("even"))
                    .branch((key, value) -> number(value) > 50, Branched.as("large"))
                    .defaultBranch(Branched.as("rest"));
                branches.get("beven").to("out-even");
                branches.get("blarge").to("out-large");
                branches.get("brest").to("out-rest");
            }
            case "merged" -> {
                KStream<String, String> other = builder.stream("in-2", Consumed.with(TEXT, TEXT));
                windowed("count", in.merge(other).groupByKey().windowedBy(windows("tumbling"))
                    .emitStrategy(emit("close")), kept());
            }
            case "cogroup" -> {
                KStream<String, String> other = builder.stream("in-2", Consumed.with(TEXT, TEXT));
                if (words.length > 2) {
                    // One operator for both inputs, and so one stream time.
                    out(in.mapValues(value -> "," + value).merge(other.mapValues(value -> ";" + value)).groupByKey()
                        .windowedBy(windows(words[1])).aggregate(() -> "", (key, value, list) -> list + value,
                            Materialized.with(TEXT, TEXT)));
                } else {
                    out(grouped.<String>cogroup((key, value, list) -> list + "," + value)
                        .cogroup(other.groupByKey(), (key, value, list) -> list + ";" + value)
                        .windowedBy(windows(words[1])).aggregate(() -> "", Materialized.with(TEXT, TEXT)));
                }
            }
            case "rekeyed" -> in.selectKey((key, value) -> "k" + number(value) % 5)
                .groupByKey(Grouped.with("by-remainder", TEXT, TEXT)).count().toStream().mapValues(String::valueOf).to("out");
            case "stages" -> grouped.windowedBy(windows("tumbling")).emitStrategy(emit("close"))
                .count(Topologies.<Long>kept()).toStream().map((key, count) -> KeyValue.pair("n" + count, key.key()))
                .groupByKey(Grouped.with("by-count", TEXT, TEXT)).windowedBy(windows("hopping"))
                .aggregate(() -> "", Topologies::list, Materialized.with(TEXT, TEXT)).toStream()
                .map(Topologies::flat).to("out", Produced.with(TEXT, TEXT));
            case "streams" -> {
                KStream<String, String> other = builder.stream("in-2", Consumed.with(TEXT, TEXT));
                StreamJoined<String, String, String> joined = StreamJoined.with(TEXT, TEXT, TEXT);
                JoinWindows windows = joinWindows(words[1]);
                in.join(other, Topologies::both, windows, joined).to("out-inner");
                in.leftJoin(other, Topologies::both, windows, joined).to("out-left");
                in.outerJoin(other, Topologies::both, windows, joined).to("out-outer");
            }
            default -> throw new IllegalArgumentException(name);
        }
    }

    private static void versioned(String[] words, StreamsBuilder builder, KStream<String, String> in,
        KGroupedStream<String, String> grouped) {
        switch (words[1]) {
            case "joins" -> {
                KTable<String, String> table = builder.table("table", Consumed.with(TEXT, TEXT), versions("store"));
                in.join(table, Topologies::both).to("out-inner");
                in.leftJoin(table.filter((key, value) -> number(value) % 2 == 0), Topologies::both).to("out-left");
                in.join(table.mapValues(value -> value + "m"), Topologies::both).to("out-mapped");
                table.toStream().to("out-table");
            }
            case "grace" -> {
                KTable<String, String> table = builder.table("table", Consumed.with(TEXT, TEXT), versions("store"));
                Duration grace = Duration.ofMillis(words[2].equals("none") ? 0 : words[2].equals("short") ? 5 : 20);
                in.join(table, Topologies::both, Joined.with(TEXT, TEXT, TEXT, "inner", grace)).to("out-inner");
                in.leftJoin(table, Topologies::both, Joined.with(TEXT, TEXT, TEXT, "left", grace)).to("out-left");
            }
            case "tables" -> {
                KTable<String, String> table = builder.table("table", Consumed.with(TEXT, TEXT), versions("store"));
                KTable<String, String> plain = builder.table("in-2", Consumed.with(TEXT, TEXT));
                table.join(plain, Topologies::both).toStream().to("out-inner");
                table.leftJoin(plain, Topologies::both).toStream().to("out-left");
                plain.outerJoin(table, Topologies::both).toStream().to("out-outer");
                table.filter((key, value) -> number(value) % 2 == 0).toStream().to("out-filtered");
                table.mapValues(value -> value + "m").toStream().to("out-mapped");
                table.mapValues(value -> value + "p", Materialized.as("plain")).toStream().to("out-plain");
                table.filter((key, value) -> number(value) % 3 == 0, versions("thirds")).toStream().to("out-thirds");
                table.groupBy((key, value) -> KeyValue.pair("k" + number(value) % 3, value),
                        Grouped.with("by-remainder", TEXT, TEXT))
                    .aggregate(() -> "", (key, value, list) -> list + "+" + value, (key, value, list) -> list + "-" + value,
                        versions("groups")).toStream().to("out-groups");
            }
            case "aggregates" -> {
                grouped.reduce(Topologies::reduce, versions("reduced")).toStream().to("out-reduced");
                // An aggregate that a tenth of the values ends.
                grouped.aggregate(() -> "", (key, value, list) -> number(value) % 10 == 0 ? null : list + "," + value,
                    versions("lists")).toStream().to("out-lists");
            }
            default -> throw new IllegalArgumentException(words[1]);
        }
    }

    /** A versioned store that keeps its history for 20 ms. */
    private static Materialized<String, String, KeyValueStore<Bytes, byte[]>> versions(String name) {
        return Materialized.<String, String>as(Stores.persistentVersionedKeyValueStore(name, Duration.ofMillis(20)))
            .withKeySerde(TEXT).withValueSerde(TEXT);
    }

    private static String both(String left, String right) {
        return left + "+" + right;
    }

    static JoinWindows joinWindows(String name) {
        JoinWindows ten = JoinWindows.ofTimeDifferenceAndGrace(Duration.ofMillis(10), Duration.ofMillis(5));
        return switch (name) {
            case "both" -> ten;
            case "after" -> ten.before(Duration.ZERO);
            case "before" -> ten.after(Duration.ZERO);
            default -> throw new IllegalArgumentException(name);
        };
    }

    static TimeWindows windows(String name) {
        return switch (name) {
            case "tumbling" -> of(10, 3);
            case "strict" -> of(10, 0);
            case "hopping" -> of(10, 5).advanceBy(Duration.ofMillis(4));
            case "dense" -> of(10, 0).advanceBy(Duration.ofMillis(3));
            case "generous" -> of(10, 35).advanceBy(Duration.ofMillis(5));
            case "minutes" -> of(60_000, 5_000);
            default -> throw new IllegalArgumentException(name);
        };
    }

    static SessionWindows gaps(String name) {
        Duration ten = Duration.ofMillis(10);
        return switch (name) {
            case "strict" -> SessionWindows.ofInactivityGapWithNoGrace(ten);
            case "short" -> SessionWindows.ofInactivityGapAndGrace(ten, Duration.ofMillis(5));
            case "generous" -> SessionWindows.ofInactivityGapAndGrace(ten, Duration.ofMillis(60));
            default -> throw new IllegalArgumentException(name);
        };
    }

    private static TimeWindows of(long size, long grace) {
        return TimeWindows.ofSizeAndGrace(Duration.ofMillis(size), Duration.ofMillis(grace));
    }

    private static EmitStrategy emit(String name) {
        return name.equals("close") ? EmitStrategy.onWindowClose() : EmitStrategy.onWindowUpdate();
    }

    /**
     * Keeps rows for longer than their windows are open. With the default retention, a record that opens a window far
     * ahead hides closed windows from the scan that should emit them, and their results are lost.
     */
    private static <V> Materialized<String, V, WindowStore<Bytes, byte[]>> kept() {
        return Materialized.<String, V, WindowStore<Bytes, byte[]>>with(TEXT, null).withRetention(Duration.ofDays(1));
    }

    static SlidingWindows sliding(String name) {
        return switch (name) {
            case "strict" -> sliding(10, 0);
            case "short" -> sliding(10, 5);
            case "generous" -> sliding(10, 60);
            case "wide" -> sliding(25, 10);
            default -> throw new IllegalArgumentException(name);
        };
    }

    private static SlidingWindows sliding(long difference, long grace) {
        return SlidingWindows.ofTimeDifferenceAndGrace(Duration.ofMillis(difference), Duration.ofMillis(grace));
    }

    private static <V> void windowed(String operation, TimeWindowedKStream<String, String> windows,
                                     Materialized<String, V, WindowStore<Bytes, byte[]>> rows) {
        switch (operation) {
            case "count" -> out(windows.count(cast(rows)));
            case "reduce" -> out(windows.reduce(Topologies::reduce, cast(rows)));
            case "aggregate" -> out(windows.aggregate(() -> "", Topologies::list,
                Topologies.<String>cast(rows).withValueSerde(TEXT)));
            default -> throw new IllegalArgumentException(operation);
        }
    }

    private static void sessions(String operation, SessionWindowedKStream<String, String> sessions) {
        switch (operation) {
            case "count" -> out(sessions.count());
            case "reduce" -> out(sessions.reduce(Topologies::reduce));
            case "aggregate" -> out(sessions.aggregate(() -> "", Topologies::list, (key, one, other) -> one + other,
                Materialized.with(TEXT, TEXT)));
            default -> throw new IllegalArgumentException(operation);
        }
    }

    @SuppressWarnings("unchecked")
    private static <V> Materialized<String, V, WindowStore<Bytes, byte[]>> cast(Materialized<?, ?, ?> rows) {
        return (Materialized<String, V, WindowStore<Bytes, byte[]>>) rows;
    }

    private static <V> void out(KTable<Windowed<String>, V> table) {
        table.toStream().map(Topologies::flat).to("out", Produced.with(TEXT, TEXT));
    }

    private static <V> KeyValue<String, String> flat(Windowed<String> key, V value) {
        String flat = key.key() + " " + key.window().start() + " " + key.window().end();
        return KeyValue.pair(flat, value == null ? null : value.toString());
    }

    static long number(String value) {
        return Long.parseLong(value);
    }

    /** Depends on the order of its values; a null deletes. */
    static String reduce(String aggregate, String value) {
        return value == null ? null : String.valueOf((number(aggregate) * 31 + number(value)) % 1_000_003);
    }

    static String list(String key, String value, String list) {
        return list + "," + value;
    }

    static String last(String key, String value, String list) {
        String longer = list + "," + value;
        return longer.substring(Math.max(0, longer.length() - 12));
    }
}
