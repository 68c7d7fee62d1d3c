// Keys with their hash and partition, as the Java client computes them.

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Random;
import org.apache.kafka.clients.producer.internals.BuiltInPartitioner;
import org.apache.kafka.common.utils.Utils;

final class Murmur2 {
    private static final int[] PARTITIONS = {1, 2, 3, 4, 7, 12, 100, 1000};

    static List<String> lines() {
        Random random = new Random(7);
        List<byte[]> keys = new ArrayList<>();
        keys.add(new byte[0]);
        for (int i = 0; i < 1000; i++) {
            keys.add(("stream-" + i).getBytes(StandardCharsets.UTF_8));
        }
        for (int i = 0; i < 1500; i++) {
            byte[] key = new byte[random.nextInt(20)];
            random.nextBytes(key);
            keys.add(key);
        }
        for (int i = 0; i < 100; i++) {
            byte[] key = new byte[20 + random.nextInt(100)];
            random.nextBytes(key);
            keys.add(key);
        }
        List<String> lines = new ArrayList<>();
        StringBuilder head = new StringBuilder("# key (hex, after x) murmur2; partition of");
        for (int partitions : PARTITIONS) {
            head.append(' ').append(partitions);
        }
        lines.add(head.toString());
        for (byte[] key : keys) {
            StringBuilder line = new StringBuilder("x").append(HexFormat.of().formatHex(key));
            line.append(' ').append(Utils.murmur2(key));
            for (int partitions : PARTITIONS) {
                line.append(' ').append(BuiltInPartitioner.partitionForKey(key, partitions));
            }
            lines.add(line.toString());
        }
        return lines;
    }
}
