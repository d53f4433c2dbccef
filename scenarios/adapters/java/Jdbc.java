import java.io.EOFException;
import java.io.IOException;
import java.net.ConnectException;
import java.net.SocketException;
import java.net.SocketTimeoutException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.SQLTimeoutException;
import java.sql.SQLTransientException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.TimeUnit;
import org.postgresql.jdbc.PgStatement;

/**
 * pgjdbc, the PostgreSQL JDBC Driver: its settings, and operations on a given connection.
 * Its documentation: https://jdbc.postgresql.org/documentation/use/
 */
final class Jdbc {
    private static final String WRITE = "INSERT INTO pgsquall_ledger (id) VALUES (?)";
    private static final String READ = "SELECT 1 FROM pgsquall_ledger WHERE id = ?";

    private static final String QUERY_CANCELED = "57014";

    private static final Map<String, String> ENVIRONMENT = System.getenv();

    private Jdbc() {}

    static String url() {
        String[] hosts = ENVIRONMENT.get("PGHOST").split(",");
        String[] ports = ENVIRONMENT.get("PGPORT").split(",");
        List<String> places = new ArrayList<>();
        for (int i = 0; i < hosts.length; i++) {
            places.add(hosts[i] + ":" + ports[i]);
        }
        return "jdbc:postgresql://" + String.join(",", places) + "/" + ENVIRONMENT.get("PGDATABASE");
    }

    /** Without a password property the driver reads PGPASSFILE at each connect. */
    static Properties properties(boolean tuned) throws IOException {
        Properties properties = new Properties();
        put(properties, "user", "PGUSER");
        put(properties, "password", "PGPASSWORD");
        put(properties, "sslmode", "PGSSLMODE");
        put(properties, "sslrootcert", "PGSSLROOTCERT");
        put(properties, "sslcert", "PGSSLCERT");
        if (ENVIRONMENT.containsKey("PGSSLKEY")) {
            properties.put("sslkey", der(Path.of(ENVIRONMENT.get("PGSSLKEY"))).toString());
        }
        if (tuned || "read-write".equals(ENVIRONMENT.get("PGTARGETSESSIONATTRS"))) {
            properties.put("targetServerType", "primary"); // after a failover: never a standby
        }
        if (tuned) {
            properties.put("connectTimeout", "5"); // seconds, of TCP's connect, for each host
            properties.put("loginTimeout", "10"); // seconds, of connecting as a whole
            properties.put("socketTimeout", "6"); // seconds until an answer: after the server's timer
            properties.put("cancelSignalTimeout", "5"); // seconds, of asking the server to cancel a statement
            properties.put("tcpKeepAlive", "true"); // with the system's intervals, which Java cannot set
            properties.put("options", "-c statement_timeout=5s"); // the server's timer, for each statement
        }
        return properties;
    }

    /** With autocommit, except in a transaction. */
    static Adapter.Answer perform(Connection conn, Adapter.Request request, long asked) throws SQLException {
        Boolean found = null;
        switch (request.op()) {
            case "write" -> write(conn, request, asked);
            case "read" -> found = read(conn, request, asked);
            default -> transaction(conn, request, asked);
        }
        return new Adapter.Answer(request.id(), true, found, null);
    }

    private static void write(Connection conn, Adapter.Request request, long asked) throws SQLException {
        try (PreparedStatement insert = conn.prepareStatement(WRITE)) {
            insert.setLong(1, request.key());
            limit(insert, request, asked);
            insert.executeUpdate();
        }
    }

    private static boolean read(Connection conn, Adapter.Request request, long asked) throws SQLException {
        try (PreparedStatement select = conn.prepareStatement(READ)) {
            select.setLong(1, request.key());
            limit(select, request, asked);
            try (ResultSet rows = select.executeQuery()) {
                return rows.next();
            }
        }
    }

    private static void transaction(Connection conn, Adapter.Request request, long asked)
            throws SQLException {
        conn.setAutoCommit(false);
        try {
            try (Statement select = conn.createStatement()) {
                limit(select, request, asked);
                select.executeQuery("SELECT 1").close();
            }
            write(conn, request, asked);
            conn.commit();
            conn.setAutoCommit(true);
        } catch (SQLException error) {
            try {
                conn.rollback();
                conn.setAutoCommit(true);
            } catch (SQLException broken) {
                error.addSuppressed(broken);
            }
            throw error;
        }
    }

    /** JDBC's setQueryTimeout takes whole seconds only, the driver's own milliseconds. On timeout it cancels. */
    private static void limit(Statement statement, Adapter.Request request, long asked) throws SQLException {
        if (request.deadline_ms() != null) {
            long left = request.deadline_ms() - TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - asked);
            if (left <= 0) {
                throw new SQLTimeoutException("the deadline has passed");
            }
            statement.unwrap(PgStatement.class).setQueryTimeoutMs(left);
        }
    }

    static Adapter.Answer failed(Adapter.Request request, long asked, SQLException error) {
        long taken = TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - asked);
        boolean late = request.deadline_ms() != null && taken >= request.deadline_ms();
        boolean ended = error instanceof SQLTimeoutException || QUERY_CANCELED.equals(error.getSQLState());
        String kind = late && ended ? "deadline" : kind(error);
        Boolean retryable = error instanceof SQLTransientException ? true : null;
        String sqlstate = error.getSQLState();
        Adapter.Failure failure = new Adapter.Failure(message(error), sqlstate, retryable, kind);
        return new Adapter.Answer(request.id(), null, null, failure);
    }

    /** The exception and its causes, as in a stack trace. */
    private static String message(Throwable error) {
        Throwable cause = error.getCause();
        String said = String.valueOf(error.getMessage());
        return cause == null ? said : said + " (caused by: " + cause.getClass().getName() + ": " + message(cause) + ")";
    }

    /** The cause is more specific than the driver's own codes, 08001 and 08006. */
    private static String kind(Throwable error) {
        for (Throwable cause = error.getCause(); cause != null; cause = cause.getCause()) {
            String message = String.valueOf(cause.getMessage());
            if (cause instanceof ConnectException && message.contains("refused")) {
                return "refused";
            } else if (cause instanceof SocketTimeoutException) {
                return "timeout";
            } else if (cause instanceof EOFException || message.contains("closed")) {
                return "closed";
            } else if (cause instanceof SocketException && message.contains("reset")) {
                return "reset";
            }
        }
        return null;
    }

    private static void put(Properties properties, String name, String variable) {
        if (ENVIRONMENT.containsKey(variable)) {
            properties.put(name, ENVIRONMENT.get(variable));
        }
    }

    /** The driver reads keys in PKCS-8 DER only. */
    private static Path der(Path pem) throws IOException {
        Path der = Files.createTempFile("pgsquall", ".pk8");
        der.toFile().deleteOnExit();
        String encoded = Files.readString(pem).replaceAll("-----.*-----", "");
        return Files.write(der, Base64.getMimeDecoder().decode(encoded));
    }
}
