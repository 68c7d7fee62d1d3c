// The inputs: seeded random ones, and boundaries written by hand.

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;

final class Scripts {
    record Step(String topic, String key, String value, long timestamp) {
        @Override
        public String toString() {
            return topic + " " + text(key) + " " + text(value) + " " + timestamp;
        }
    }

    static String text(String text) {
        return text == null ? "-" : text;
    }

    static Map<String, List<Step>> all() {
        Map<String, List<Step>> all = new TreeMap<>();
        all.put("random-1", random(1, 150, 1, "in"));
        all.put("random-2", random(2, 150, 1, "in"));
        all.put("minutes", random(3, 150, 5_000, "in"));
        all.put("two-topics", random(4, 150, 1, "in", "in-2"));
        List<Step> inOrder = new ArrayList<>(random(5, 100, 1, "in", "in-2"));
        inOrder.sort((a, b) -> Long.compare(a.timestamp(), b.timestamp()));
        all.put("two-topics-in-order", inOrder);
        all.put("joined-in-order", closed(inOrder));
        // Late by at most 5, the grace period of joins.
        List<Step> disorder = new ArrayList<>(inOrder);
        Random shifts = new Random(7);
        disorder.replaceAll(step -> new Step(step.topic(), step.key(), step.value(),
            Math.max(0, step.timestamp() - (shifts.nextInt(3) == 0 ? shifts.nextInt(6) : 0))));
        all.put("joined-disorder", closed(disorder));
        // Ten apart, grace 5: what is at 0 may be joined until stream time is at 16.
        all.put("joined-edges", closed(joins()));
        // In time for its join window but not for its end; then too late for both.
        all.put("joined-late", closed(List.of(
            new Step("in-2", "b", "1", 14), new Step("in", "a", "2", 2), new Step("in-2", "a", "3", 5),
            new Step("in-2", "c", "4", 80), new Step("in-2", "d", "5", 100), new Step("in", "c", "6", 82))));
        // Size 10, grace 3: [0, 10) takes records at stream time 12, and is closed at 13.
        all.put("tumbling-edges", keyed("a0 b9 a10 a9 c12 b9 a0 c13 a9 b12 b10 a22 a19 a23 a19 a22 b100 a99 a90 c99 c113 c100"));
        // Size 10, no grace: [0, 10) is closed at 10.
        all.put("strict-edges", keyed("a0 b0 a9 b9 a10 a9 a10 b19 a20 a19 a30 a40 b40 a39 b50 a60 a100 a1000"));
        // Size 10, advance 4, grace 5: 14 is in [8, 18) and [12, 22); [0, 10) is closed at 15.
        all.put("hopping-edges", keyed("a0 a3 a4 b8 a9 a10 a14 a9 a3 b15 a9 a4 a8 a18 a9 a8 a19 a13 a8 b22 a12 a13 b23 a13 a80 a65 a64 a66 b79 a95"));
        // Difference 10, grace 5: [0, 10] takes records at stream time 15, and is closed at 16.
        all.put("sliding-edges", keyed("a0 a3 b3 a10 a5 a10 b10 a20 a21 c25 a9 a10 b9 b14 b15 b30 a15 a14 a31 a40 a30 a29 c41 a26 a25 a24 b55 a45 a44 a39 a40 b55 b44 c90 a70 a80 a79 a75 b100 c100 a90 a89 c92 a101 a102 a91 a92 a112 b112 b111 b101 b106 c200 a190 a185 a184 a195 a2 b300"));
        // Size 10, advance 3, no grace.
        all.put("dense-edges", keyed("a0 a2 a3 a9 b9 a10 a9 a2 a12 a3 a11 a13 a6 b13 a16 a50 a41 a40 a42 b49 a60 a49"));
        // Gap 10: with grace 5, a session that ended at 10 is open at 25, and closed at 26. No grace: closed at 21.
        all.put("session-edges", keyed("a0 a10 b10 a20 b22 b22 a5 c24 b12 a31 c14 a30 c36 b28 b36 a42 c31 b50 b50 a47 c61 a53 b70 a72 c71 a63 c90 b79 a101 c200 a190 b189 b210 a230"));
        // At 25, a session of b that ended at 10 is open, and the store hides it since that of c ended at 25.
        all.put("session-hidden", keyed("a0 b10 c25 b11 c40"));
        all.put("nulls", nulls());
        all.put("table-edges", tables());
        List<Step> tableRandom = new ArrayList<>();
        Random random = new Random(6);
        for (Step step : random(6, 150, 1, "in", "table")) {
            boolean tombstone = step.topic().equals("table") && random.nextInt(3) == 0;
            tableRandom.add(tombstone ? new Step("table", step.key(), null, step.timestamp()) : step);
        }
        all.put("table-random", tableRandom);
        List<Step> versions = new ArrayList<>(random(8, 250, 1, "in-2", "table", "table"));
        versions.replaceAll(step -> random.nextInt(4) > 0 ? step : new Step(step.topic(), step.key(), null, step.timestamp()));
        all.put("versions", versions);
        List<Step> joined = new ArrayList<>(versions);
        joined.replaceAll(step -> step.topic().equals("table") ? step
            : new Step("in", step.key(), String.valueOf(joined.indexOf(step)), step.timestamp()));
        all.put("versions-joined", joined);
        return all;
    }

    /** Time walks forward with jumps; a quarter of the records come late by up to two windows. */
    private static List<Step> random(long seed, int count, long unit, String... topics) {
        Random random = new Random(seed);
        String[] keys = {"a", "ab", "b", "Z", "\u00e9"};
        List<Step> steps = new ArrayList<>();
        long time = 0;
        for (int i = 0; i < count; i++) {
            time += unit * (random.nextInt(40) == 0 ? 45 : random.nextInt(4));
            long timestamp = random.nextInt(4) == 0 ? Math.max(0, time - unit * random.nextInt(22)) : time;
            String value = String.valueOf(random.nextInt(100));
            steps.add(new Step(topics[random.nextInt(topics.length)], keys[random.nextInt(5)], value, timestamp));
        }
        return steps;
    }

    /** Each word is a key of one letter and a timestamp. */
    private static List<Step> keyed(String words) {
        List<Step> steps = new ArrayList<>();
        for (String word : words.split(" ")) {
            String value = String.valueOf(steps.size() + 1);
            steps.add(new Step("in", word.substring(0, 1), value, Long.parseLong(word.substring(1))));
        }
        return steps;
    }

    /** Null keys do not move time on; null values are dropped by some operators and processed by others. */
    private static List<Step> nulls() {
        return List.of(
            new Step("in", "a", "1", 1), new Step("in", "a", null, 5), new Step("in", "a", "2", 3),
            new Step("in", "b", null, 2), new Step("in", "b", "3", 1), new Step("in", "a", null, 4),
            new Step("in", null, "4", 500), new Step("in", null, null, 600), new Step("in", "c", null, 6),
            new Step("in", "", "5", 7), new Step("in", "a", "6", 12), new Step("in", "", null, 14),
            new Step("in", "d", null, 40), new Step("in", "d", "7", 39), new Step("in", "d", null, 45),
            new Step("in", "e", "8", 45), new Step("in", "e", null, 46), new Step("in", "z", "9", 90));
    }

    /** Time passes, so that nothing waits for partners any more. */
    private static List<Step> closed(List<Step> steps) {
        List<Step> all = new ArrayList<>(steps);
        all.add(new Step("in", "z", "98", 100_000));
        all.add(new Step("in-2", "z", "99", 200_000));
        return all;
    }

    private static List<Step> joins() {
        return List.of(
            new Step("in", "a", "1", 0), new Step("in-2", "b", "2", 0), new Step("in-2", "a", "3", 10),
            new Step("in-2", "a", "4", 11), new Step("in", "c", "5", 15), new Step("in", "b", "6", 16),
            new Step("in-2", "a", "7", 16), new Step("in-2", "c", "8", 25), new Step("in", "c", "9", 25),
            new Step("in-2", "d", "10", 25), new Step("in", "d", "11", 25), new Step("in", "d", "12", 25),
            new Step("in-2", "d", "13", 35), new Step("in", "d", "14", 36), new Step("in-2", "e", "15", 50),
            new Step("in", "f", "16", 50), new Step("in-2", "f", "17", 60), new Step("in", "e", "18", 60),
            new Step("in", "g", "19", 60), new Step("in-2", "g", null, 60), new Step("in", "g", null, 61),
            new Step("in", null, "20", 61), new Step("in-2", null, "21", 61), new Step("in", null, null, 61),
            new Step("in", "", "22", 61), new Step("in-2", "", "23", 62), new Step("in", "h", "24", 70),
            new Step("in-2", "i", "25", 70), new Step("in", "h", "26", 71), new Step("in-2", "h", "27", 75));
    }

    private static List<Step> tables() {
        return List.of(
            new Step("in", "a", "1", 0), new Step("table", "a", "10", 5), new Step("in", "a", "2", 1),
            new Step("in", "b", "3", 6), new Step("table", "a", "11", 3), new Step("in", "a", "4", 2),
            new Step("table", "a", null, 4), new Step("in", "a", "5", 9), new Step("table", "a", "12", 4),
            new Step("in", "a", "6", 9), new Step("table", "b", null, 1), new Step("in", "b", "7", 20),
            new Step("table", "b", "13", 50), new Step("in", "b", "8", 10), new Step("in", "b", null, 11),
            new Step("table", null, "14", 12), new Step("in", "", "9", 13), new Step("table", "", "15", 13),
            new Step("in", "", "10", 14), new Step("table", "", null, 15), new Step("in", "", "11", 16),
            new Step("in", null, "12", 17));
    }
}
