// Answers cases, one on a line, with what Kafka Streams makes of them.

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.Properties;
import java.util.TreeSet;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.TopologyConfig;
import org.apache.kafka.streams.TopologyTestDriver;
import org.apache.kafka.streams.state.BuiltInDslStoreSuppliers;
import org.apache.kafka.streams.test.TestRecord;

public class Interpreter {
    private static final ObjectMapper JSON = new ObjectMapper();

    public static void main(String[] args) throws IOException {
        Properties config = config(Files.createTempDirectory("conformance"));
        PrintStream out = new PrintStream(System.out, true, StandardCharsets.UTF_8);
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            ObjectNode answer;
            try {
                answer = answer(JSON.readTree(line), config);
            } catch (Exception error) {
                Throwable cause = error;
                while (cause.getCause() != null) {
                    cause = cause.getCause();
                }
                answer = JSON.createObjectNode().put("error", cause.toString());
            }
            out.println(JSON.writeValueAsString(answer));
        }
    }

    private static ObjectNode answer(JsonNode asked, Properties config) {
        StreamsBuilder builder = new StreamsBuilder(new TopologyConfig(new StreamsConfig(config)));
        new Nodes(builder, asked).build();
        ObjectNode answer = JSON.createObjectNode();
        ObjectNode outputs = answer.putObject("outputs");
        try (TopologyTestDriver driver = new TopologyTestDriver(builder.build(config), config, Instant.EPOCH)) {
            int number = 0;
            for (JsonNode step : asked.get("script")) {
                number++;
                if (step.isNumber()) {
                    driver.advanceWallClockTime(Duration.ofMillis(step.asLong()));
                } else {
                    driver.createInputTopic(step.get(0).asText(), new StringSerializer(), new StringSerializer())
                        .pipeInput(new TestRecord<>(text(step.get(1)), text(step.get(2)),
                            Functions.headers(step.path(4).asText()), step.get(3).asLong()));
                }
                for (String topic : new TreeSet<>(driver.producedTopicNames())) {
                    if (topic.startsWith("out-")) {
                        read(driver, topic, number, outputs);
                    }
                }
            }
            answer.put("dropped", (long) driver.metrics().entrySet().stream()
                .filter(metric -> metric.getKey().name().equals("dropped-records-total"))
                .mapToDouble(metric -> (Double) metric.getValue().metricValue()).sum());
            Stores.read(driver, answer.putObject("stores"));
        }
        return answer;
    }

    private static void read(TopologyTestDriver driver, String topic, int step, ObjectNode outputs) {
        var output = driver.createOutputTopic(topic, new StringDeserializer(), new StringDeserializer());
        for (TestRecord<String, String> record : output.readRecordsToList()) {
            ArrayNode rows = outputs.has(topic) ? (ArrayNode) outputs.get(topic) : outputs.putArray(topic);
            rows.addArray().add(step).add(record.key()).add(record.value()).add(record.timestamp())
                .add(Functions.text(record.headers()));
        }
    }

    static String text(JsonNode node) {
        return node.isNull() ? null : node.asText();
    }

    private static Properties config(Path folder) {
        Properties config = new Properties();
        config.put(StreamsConfig.APPLICATION_ID_CONFIG, "conformance");
        config.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, "unused:1");
        config.put(StreamsConfig.STATE_DIR_CONFIG, folder.toString());
        config.put(StreamsConfig.DEFAULT_KEY_SERDE_CLASS_CONFIG, Serdes.StringSerde.class);
        config.put(StreamsConfig.DEFAULT_VALUE_SERDE_CLASS_CONFIG, Serdes.StringSerde.class);
        config.put(StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, 0);
        config.put(StreamsConfig.DSL_STORE_SUPPLIERS_CLASS_CONFIG, BuiltInDslStoreSuppliers.InMemoryDslStoreSuppliers.class);
        // Without the throttle, what is emitted depends on the input alone.
        config.put("__emit.interval.ms.kstreams.windowed.aggregation__", 0L);
        config.put("__emit.interval.ms.kstreams.outer.join.spurious.results.fix__", 0L);
        return config;
    }
}
