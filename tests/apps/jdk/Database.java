// A client of a database by JDBC, whichever that is. Prints a line "ok TEXT" or "not ok TEXT" a check, "figure NUMBER TEXT", and "end".
// check URL: content of every size, transactions, cursors, clients at once and ones that vanish, in tables of its own.
// hold URL: what it begins to change nobody else can. fill URL: makes the accounts. load URL ROUND: moves money between them by eight connections, and ends when the server is gone
// with "committed N"; "started" when all have begun. after URL N: what the accounts must be when N moves were committed.
import java.io.*;
import java.sql.*;
import java.util.*;
import java.util.concurrent.*;
import java.util.concurrent.atomic.*;

public class Database {
    static final int ACCOUNTS = 50, MONEY = 1000;
    static String url;

    static void check(String text, boolean right) {
        System.out.println((right ? "ok " : "not ok ") + text);
        System.out.flush();
    }

    static void equal(String text, Object got, Object expected) {
        check(Objects.equals(got, expected) ? text : text + ": " + got + ", not " + expected, Objects.equals(got, expected));
    }

    static Connection connect() throws SQLException {
        return DriverManager.getConnection(url);
    }

    /** A server that has just been started may not listen yet. */
    static Connection connectFirst() throws Exception {
        for (int turn = 0;; turn++) {
            try {
                return connect();
            } catch (SQLException error) {
                if (turn == 600) throw error;
                Thread.sleep(200);
            }
        }
    }

    static void execute(Connection connection, String... statements) throws SQLException {
        try (Statement statement = connection.createStatement()) {
            for (String one : statements) statement.execute(one);
        }
    }

    /** Until nobody has a lock on it. */
    static void insist(Connection connection, String update) throws Exception {
        for (int turn = 0;; turn++) {
            try {
                execute(connection, update);
                return;
            } catch (SQLException locked) {
                if (turn == 30) throw locked;
                Thread.sleep(200);
            }
        }
    }

    static long number(Connection connection, String query) throws SQLException {
        try (Statement statement = connection.createStatement(); ResultSet result = statement.executeQuery(query)) {
            result.next();
            return result.getLong(1);
        }
    }

    static byte[] pattern(int size, int seed) {
        byte[] data = new byte[size];
        new Random(seed).nextBytes(data);
        return data;
    }

    static void rows(Connection connection) throws SQLException {
        execute(connection, "CREATE TABLE numbers (id INT NOT NULL PRIMARY KEY, name VARCHAR(200), amount BIGINT)");
        connection.setAutoCommit(false);
        long begin = System.nanoTime();
        try (PreparedStatement insert = connection.prepareStatement("INSERT INTO numbers VALUES (?, ?, ?)")) {
            for (int i = 1; i <= 10000; i++) {
                insert.setInt(1, i);
                insert.setString(2, "name \u00e9\u4e2d " + i);
                insert.setLong(3, (long) i * i);
                insert.addBatch();
                if (i % 1000 == 0) insert.executeBatch();
            }
        }
        connection.commit();
        equal("10000 rows", number(connection, "SELECT SUM(amount) FROM numbers"), 10000L * 10001 * 20001 / 6);
        int right = 0;
        try (Statement statement = connection.createStatement()) {
            statement.setFetchSize(100);
            try (ResultSet result = statement.executeQuery("SELECT id, name, amount FROM numbers ORDER BY id")) {
                for (int i = 1; result.next(); i++) {
                    if (result.getInt(1) == i && result.getString(2).equals("name \u00e9\u4e2d " + i) && result.getLong(3) == (long) i * i) right++;
                }
            }
        }
        equal("and each by a cursor", right, 10000);
        System.out.println("figure " + 20000L * 1000000000L / (System.nanoTime() - begin) + " rows per second, written and read by one");
        execute(connection, "DELETE FROM numbers WHERE id > 10");
        equal("within the transaction", number(connection, "SELECT COUNT(*) FROM numbers"), 10L);
        connection.rollback();
        equal("rolled back", number(connection, "SELECT COUNT(*) FROM numbers"), 10000L);
        String state = "nothing";
        try {
            execute(connection, "INSERT INTO numbers VALUES (5, 'again', 0)");
        } catch (SQLException error) {
            state = error.getSQLState().substring(0, 2);
        }
        equal("a key that is there", state, "23");
        connection.rollback();
        connection.setAutoCommit(true);
    }

    static void large(Connection connection) throws SQLException {
        execute(connection, "CREATE TABLE large (id INT NOT NULL PRIMARY KEY, data BLOB(64M))");
        for (int size : new int[] { 0, 1, 100000, 16 << 20 }) {
            byte[] data = pattern(size, size);
            try (PreparedStatement insert = connection.prepareStatement("INSERT INTO large VALUES (?, ?)")) {
                insert.setInt(1, size);
                insert.setBinaryStream(2, new ByteArrayInputStream(data), size);
                insert.executeUpdate();
            }
            try (Statement statement = connection.createStatement(); ResultSet result = statement.executeQuery("SELECT data FROM large WHERE id = " + size)) {
                check("a field of " + size, result.next() && Arrays.equals(result.getBytes(1), data));
            }
        }
    }

    static void together(Connection connection) throws Exception {
        execute(connection, "CREATE TABLE clients (id INT NOT NULL PRIMARY KEY, turns INT)");
        ExecutorService threads = Executors.newFixedThreadPool(20);
        AtomicInteger right = new AtomicInteger();
        for (int i = 0; i < 100; i++) {
            int id = i;
            threads.submit(() -> {
                try (Connection own = connect()) {
                    execute(own, "INSERT INTO clients VALUES (" + id + ", 0)");
                    for (int turn = 0; turn < 10; turn++) execute(own, "UPDATE clients SET turns = turns + 1 WHERE id = " + id);
                    if (number(own, "SELECT turns FROM clients WHERE id = " + id) == 10) right.incrementAndGet();
                }
                return null;
            });
        }
        threads.shutdown();
        threads.awaitTermination(120, TimeUnit.SECONDS);
        equal("100 connections, 20 at once", right.get(), 100);
        equal("and all that they wrote", number(connection, "SELECT SUM(turns) FROM clients"), 1000L);
        // clients that are killed in the middle of a transaction: their locks are given up
        String java = System.getProperty("java.home") + File.separator + "bin" + File.separator + "java";
        for (int i = 0; i < 2; i++) {
            Process gone = new ProcessBuilder(java, "-cp", System.getProperty("java.class.path"), "Database", "hold", url).redirectError(ProcessBuilder.Redirect.INHERIT).start();
            new BufferedReader(new InputStreamReader(gone.getInputStream())).readLine();
            gone.destroyForcibly().waitFor();
        }
        insist(connection, "UPDATE clients SET turns = turns + 1 WHERE id = 7");
        equal("clients that vanish", number(connection, "SELECT turns FROM clients WHERE id = 7"), 11L);
    }

    static void fill(Connection connection) throws SQLException {
        execute(connection, "CREATE TABLE accounts (id INT NOT NULL PRIMARY KEY, money INT NOT NULL)",
            "CREATE TABLE moves (who INT NOT NULL, turn INT NOT NULL, PRIMARY KEY (who, turn))");
        for (int i = 0; i < ACCOUNTS; i++) execute(connection, "INSERT INTO accounts VALUES (" + i + ", " + MONEY + ")");
    }

    static void load(int round) throws Exception {
        AtomicInteger committed = new AtomicInteger(), begun = new AtomicInteger();
        Thread[] threads = new Thread[8];
        for (int i = 0; i < threads.length; i++) {
            int slice = i, who = round * 8 + i;
            threads[i] = new Thread(() -> {
                try {
                    Connection connection = connect();
                    connection.setAutoCommit(false);
                    // each among accounts of its own, so that none waits for another's lock
                    int first = slice * 6;
                    PreparedStatement move = connection.prepareStatement("UPDATE accounts SET money = money + ? WHERE id = ?");
                    PreparedStatement note = connection.prepareStatement("INSERT INTO moves VALUES (?, ?)");
                    for (int turn = 0;; turn++) {
                        int amount = turn % 17 + 1;
                        move.setInt(1, -amount);
                        move.setInt(2, first + turn % 6);
                        move.executeUpdate();
                        move.setInt(1, amount);
                        move.setInt(2, first + (turn + 1 + turn % 5) % 6);
                        move.executeUpdate();
                        note.setInt(1, who);
                        note.setInt(2, turn);
                        note.executeUpdate();
                        connection.commit();
                        committed.incrementAndGet();
                        if (turn == 20 && begun.incrementAndGet() == threads.length) {
                            System.out.println("started");
                            System.out.flush();
                        }
                    }
                } catch (SQLException error) {
                    System.err.println(error); // the server is gone
                }
            });
            threads[i].start();
        }
        for (Thread thread : threads) thread.join();
        System.out.println("committed " + committed.get());
    }

    static void after(Connection connection, long committed) throws SQLException {
        long moves = number(connection, "SELECT COUNT(*) FROM moves");
        check("what was committed is there: " + committed + " of " + moves, moves >= committed && moves <= committed + 8 * 2);
        equal("no money is lost", number(connection, "SELECT SUM(money) FROM accounts"), (long) ACCOUNTS * MONEY);
        long expected = number(connection, "SELECT SUM(n) FROM (SELECT MAX(turn) + 1 AS n FROM moves GROUP BY who) AS each_one");
        equal("no move is missing in between", moves, expected);
    }

    public static void main(String[] arguments) throws Exception {
        url = arguments[1];
        DriverManager.setLoginTimeout(60);
        try (Connection connection = connectFirst()) {
            switch (arguments[0]) {
                case "check":
                    for (String table : new String[] { "numbers", "large", "clients" }) {
                        try {
                            execute(connection, "DROP TABLE " + table);
                        } catch (SQLException none) {
                            // the first time
                        }
                    }
                    rows(connection);
                    large(connection);
                    together(connection);
                    break;
                case "fill":
                    fill(connection);
                    break;
                case "hold":
                    connection.setAutoCommit(false);
                    insist(connection, "UPDATE clients SET turns = -1 WHERE id = 7");
                    System.out.println("held");
                    System.out.flush();
                    Thread.sleep(60000);
                    break;
                case "load":
                    load(Integer.parseInt(arguments[2]));
                    break;
                default:
                    after(connection, Long.parseLong(arguments[2]));
            }
        } catch (SQLException error) {
            // closing the first connection to a server that is gone, or what a check ended by
            if (!arguments[0].equals("load")) check("" + error, false);
        }
        System.out.println("end");
        System.exit(0);
    }
}
