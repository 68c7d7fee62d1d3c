// Runs every case through Kafka Streams and writes down what it answers.

import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.TreeSet;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.TopologyTestDriver;
import org.apache.kafka.streams.test.TestRecord;

public class Goldens {
    public static void main(String[] args) throws IOException {
        Path folder = Path.of(args.length > 0 ? args[0] : "..");
        try (DirectoryStream<Path> old = Files.newDirectoryStream(folder, "*.txt")) {
            for (Path file : old) {
                Files.delete(file);
            }
        }
        Map<String, List<Scripts.Step>> scripts = Scripts.all();
        for (var script : scripts.entrySet()) {
            List<String> lines = new ArrayList<>();
            lines.add("# topic key value timestamp; - is null");
            script.getValue().forEach(step -> lines.add(step.toString()));
            Files.write(folder.resolve("input." + script.getKey() + ".txt"), lines);
        }
        for (String[] use : Cases.ALL) {
            for (int i = 1; i < use.length; i++) {
                List<String> lines = run(use[0], scripts.get(use[i]));
                Files.write(folder.resolve(use[0] + "." + use[i] + ".txt"), lines);
            }
        }
        Files.write(folder.resolve("murmur2.txt"), Murmur2.lines());
    }

    /** One line a record: number of the step that caused it, topic, key (with its window), value, timestamp. */
    static List<String> run(String topology, List<Scripts.Step> script) throws IOException {
        StreamsBuilder builder = new StreamsBuilder();
        Topologies.build(topology, builder);
        List<String> lines = new ArrayList<>();
        lines.add("# step topic key [start end] value timestamp; - is null");
        try (TopologyTestDriver driver = new TopologyTestDriver(builder.build(), config(), Instant.EPOCH)) {
            for (int step = 0; step < script.size(); step++) {
                Scripts.Step in = script.get(step);
                driver.createInputTopic(in.topic(), new StringSerializer(), new StringSerializer())
                    .pipeInput(in.key(), in.value(), in.timestamp());
                for (String topic : new TreeSet<>(driver.producedTopicNames())) {
                    if (topic.startsWith("out")) {
                        for (TestRecord<String, String> out : driver.createOutputTopic(topic, new StringDeserializer(),
                            new StringDeserializer()).readRecordsToList()) {
                            lines.add((step + 1) + " " + topic + " " + Scripts.text(out.key()) + " "
                                + Scripts.text(out.value()) + " " + out.timestamp());
                        }
                    }
                }
            }
            double dropped = driver.metrics().entrySet().stream()
                .filter(metric -> metric.getKey().name().equals("dropped-records-total"))
                .mapToDouble(metric -> (Double) metric.getValue().metricValue()).sum();
            lines.add("dropped " + (long) dropped);
        }
        return lines;
    }

    static Properties config() throws IOException {
        Properties config = new Properties();
        config.put(StreamsConfig.APPLICATION_ID_CONFIG, "goldens");
        config.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, "unused:1");
        config.put(StreamsConfig.STATE_DIR_CONFIG, Files.createTempDirectory("goldens").toString());
        config.put(StreamsConfig.DEFAULT_KEY_SERDE_CLASS_CONFIG, Serdes.StringSerde.class);
        config.put(StreamsConfig.DEFAULT_VALUE_SERDE_CLASS_CONFIG, Serdes.StringSerde.class);
        config.put(StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, 0);
        // Without the throttle, what is emitted depends on the input alone.
        config.put("__emit.interval.ms.kstreams.windowed.aggregation__", 0L);
        config.put("__emit.interval.ms.kstreams.outer.join.spurious.results.fix__", 0L);
        return config;
    }
}
