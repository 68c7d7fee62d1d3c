import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.Locale;
import java.util.Properties;
import org.apache.kafka.common.Metric;
import org.apache.kafka.streams.KafkaStreams;

/**
 * Runs one workload.
 *
 * <p>{@code run servers workload guarantee application input output records [name=value…]} processes this many
 * records and prints their cost. {@code serve} has the same arguments without the records and runs until its standard
 * input is closed.
 */
public final class Bench {
    private static final long PATIENCE_NANOS = Duration.ofMinutes(10).toNanos();
    private static final long SETTLED_NANOS = Duration.ofSeconds(1).toNanos();

    private Bench() {}

    public static void main(String[] arguments) throws Exception {
        String command = arguments[0];
        int fixed = command.equals("run") ? 8 : 7;
        Properties properties = properties(arguments, fixed);
        KafkaStreams streams = new KafkaStreams(Topologies.named(arguments[2], arguments[5], arguments[6]), properties);
        if (command.equals("run")) {
            run(streams, Long.parseLong(arguments[7]));
        } else {
            serve(streams);
        }
        System.exit(0);
    }

    private static Properties properties(String[] arguments, int fixed) throws IOException {
        Properties properties = new Properties();
        properties.put("bootstrap.servers", arguments[1]);
        properties.put("processing.guarantee", arguments[3]);
        properties.put("application.id", arguments[4]);
        properties.put("state.dir", Files.createTempDirectory("kafka-streams").toString());
        properties.put("num.stream.threads", "1");
        properties.put("replication.factor", "1");
        properties.put("auto.offset.reset", "earliest");
        // Event times are old, so records must not expire by age.
        properties.put("topic.retention.ms", "-1");
        // A window of pose frames is larger than a producer's default allows.
        properties.put("producer.max.request.size", "8388608");
        for (String setting : Arrays.copyOfRange(arguments, fixed, arguments.length)) {
            String[] parts = setting.split("=", 2);
            properties.put(parts[0], parts[1]);
        }
        return properties;
    }

    /** Waits until at least this many records are processed and no more come: those of internal topics come later. */
    private static void run(KafkaStreams streams, long records) throws Exception {
        streams.start();
        long started = System.nanoTime();
        long first = 0;
        long last = started;
        double before = 0;
        while (before < records || System.nanoTime() - last < SETTLED_NANOS) {
            double processed = processed(streams);
            if (processed > before) {
                last = System.nanoTime();
                first = first == 0 ? last : first;
                before = processed;
            }
            if (System.nanoTime() - started > PATIENCE_NANOS) {
                throw new IllegalStateException("only " + before + " of " + records + " records are processed");
            }
            Thread.sleep(20);
        }
        double seconds = (last - first) / 1e9;
        streams.close(Duration.ofSeconds(60));
        double closed = (System.nanoTime() - started) / 1e9;
        System.out.printf(Locale.ROOT, "records=%d seconds=%.3f closed_seconds=%.3f cpu_seconds=%.3f rss_mb=%d%n",
                records, seconds, closed, cpuSeconds(), peakMegabytes());
    }

    private static void serve(KafkaStreams streams) throws IOException {
        streams.start();
        while (System.in.read() >= 0) {
            // The parent process holds the other end of the pipe.
        }
        streams.close(Duration.ofSeconds(60));
        System.out.printf(Locale.ROOT, "cpu_seconds=%.3f rss_mb=%d%n", cpuSeconds(), peakMegabytes());
    }

    private static double processed(KafkaStreams streams) {
        double records = 0;
        for (Metric metric : streams.metrics().values()) {
            if (metric.metricName().name().equals("process-total")
                    && metric.metricName().group().equals("stream-thread-metrics")) {
                records += (Double) metric.metricValue();
            }
        }
        return records;
    }

    private static double cpuSeconds() {
        var system = (com.sun.management.OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
        return system.getProcessCpuTime() / 1e9;
    }

    private static long peakMegabytes() throws IOException {
        for (String line : Files.readAllLines(Path.of("/proc/self/status"))) {
            if (line.startsWith("VmHWM")) {
                return Long.parseLong(line.replaceAll("\\D", "")) / 1024;
            }
        }
        return 0;
    }
}
