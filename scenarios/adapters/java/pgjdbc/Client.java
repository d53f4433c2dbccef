import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.List;
import java.util.Properties;
import java.util.stream.Stream;
import org.postgresql.PGConnection;
import org.postgresql.PGNotification;
import org.postgresql.util.DriverInfo;

/**
 * pgjdbc without a pool: a connection for each worker, and one more that listens. The driver does not
 * reconnect; the worker opens a new connection when the driver reports its own as closed.
 * As in https://jdbc.postgresql.org/documentation/use/ and .../documentation/server-prepare/
 */
final class Client implements Adapter.Worker {
    /** Pause between two attempts to listen. */
    private static final long PAUSE_MS = 1000;

    /** The tuned profile checks its connection after this time without notifications. */
    private static final int SILENCE_MS = 2000;

    private static final int VALIDATION_S = 5;

    /** Ten seconds to connect, and six for each of three answers: BEGIN goes with SELECT. */
    private static final int LONGEST_OPERATION_MS = 1000 * (10 + 3 * 6);

    private final Properties properties;
    private Connection conn;

    private Client(Properties properties) {
        this.properties = properties;
    }

    @Override
    public Adapter.Answer perform(Adapter.Request request, long asked) {
        try {
            if (conn == null || conn.isClosed()) {
                conn = DriverManager.getConnection(Jdbc.url(), properties);
            }
            return Jdbc.perform(conn, request, asked);
        } catch (SQLException error) {
            return Jdbc.failed(request, asked, error);
        }
    }

    @Override
    public void close() {
        try {
            if (conn != null) {
                conn.close();
            }
        } catch (SQLException error) {
            System.err.println("not closed in order: " + error.getMessage());
        }
    }

    /** Listens until the process ends. A subscription ends with its connection; the driver does not renew it. */
    private static void listen(Properties properties, boolean tuned) {
        boolean listened = false;
        while (true) {
            try (Connection conn = DriverManager.getConnection(Jdbc.url(), properties);
                    Statement statement = conn.createStatement()) {
                statement.execute("LISTEN pgsquall_news");
                if (listened) {
                    Adapter.gap();
                } else {
                    Adapter.listening();
                }
                listened = true;
                hear(conn, tuned);
            } catch (SQLException error) {
                System.err.println("not listening: " + error.getMessage());
            }
            pause();
        }
    }

    private static void hear(Connection conn, boolean tuned) throws SQLException {
        PGConnection news = conn.unwrap(PGConnection.class);
        while (true) {
            // Zero waits for the next notification.
            PGNotification[] notifications = news.getNotifications(tuned ? SILENCE_MS : 0);
            for (PGNotification notification : notifications) {
                Adapter.heard(notification.getParameter());
            }
            if (tuned && notifications.length == 0 && !conn.isValid(VALIDATION_S)) {
                throw new SQLException("the connection is not valid any more");
            }
        }
    }

    private static void pause() {
        try {
            Thread.sleep(PAUSE_MS);
        } catch (InterruptedException nobodyDoesThis) {
            Thread.currentThread().interrupt();
        }
    }

    public static void main(String[] arguments) throws Exception {
        boolean tuned = Adapter.isTuned(arguments);
        List<String> capabilities = List.of("transaction", "listen", "deadline", "multi_host", "tls");
        Integer timeout = tuned ? LONGEST_OPERATION_MS : null;
        String version = DriverInfo.DRIVER_VERSION;
        Adapter.hello(new Adapter.Hello("pgjdbc", version, Adapter.WORKERS, capabilities, timeout));
        Properties properties = Jdbc.properties(tuned);
        List<Client> workers = Stream.generate(() -> new Client(properties)).limit(Adapter.WORKERS).toList();
        Adapter.serve(workers, () -> listen(properties, tuned));
    }
}
