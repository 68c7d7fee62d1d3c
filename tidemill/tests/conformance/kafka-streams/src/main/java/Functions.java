// The functions that cases use. Those of the Rust side are the same.

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.StringJoiner;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.Headers;
import org.apache.kafka.common.header.internals.RecordHeaders;

final class Functions {
    /** Of a null 1, so that a remainder tells it from many values. */
    static long hash(String text) {
        if (text == null) {
            return 1;
        }
        long hash = 7;
        for (byte unsigned : text.getBytes(StandardCharsets.UTF_8)) {
            hash = (hash * 31 + (unsigned & 0xff)) % 1_000_003;
        }
        return hash;
    }

    static boolean is(String value, long mod, long rest) {
        return hash(value) % mod == rest;
    }

    static String add(String value, String suffix) {
        return value == null ? null : value + suffix;
    }

    static String key(String value, long mod) {
        return "k" + hash(value) % mod;
    }

    /** A key of the other table, or none. */
    static String foreign(String value) {
        return Arrays.asList("a", "b", "c", "k1", null).get((int) (hash(value) % 5));
    }

    static List<String> copies(String value, long mod) {
        List<String> copies = new ArrayList<>();
        for (long copy = 0; copy < hash(value) % mod; copy++) {
            copies.add(add(value, "." + copy));
        }
        return copies;
    }

    static String both(String left, String right) {
        return left + "+" + right;
    }

    /** The end of a list of values, or no list if the value deletes it. */
    static String list(String list, String mark, String value, long delete) {
        if (delete > 0 && hash(value) % delete == 0) {
            return null;
        }
        String longer = (list == null ? "" : list) + mark + value;
        return longer.substring(Math.max(0, longer.length() - 16));
    }

    /** A null value deletes. */
    static String reduce(String old, String value) {
        return value == null ? null : list(old, "/", value, 0);
    }

    /** What a value leaves of a list that it is taken from. */
    static String without(String list, String value) {
        return list(list, "-", value, 0);
    }

    /** The headers that a text lists. */
    static Headers headers(String text) {
        Headers headers = new RecordHeaders();
        for (String header : text.split(",")) {
            int mark = header.indexOf('=');
            if (mark >= 0) {
                headers.add(header.substring(0, mark), header.substring(mark + 1).getBytes(StandardCharsets.UTF_8));
            } else if (!header.isEmpty()) {
                headers.add(header, null);
            }
        }
        return headers;
    }

    /** Headers as a list. */
    static String text(Headers headers) {
        StringJoiner list = new StringJoiner(",");
        for (Header header : headers) {
            list.add(header.value() == null ? header.key()
                : header.key() + "=" + new String(header.value(), StandardCharsets.UTF_8));
        }
        return list.toString();
    }
}
