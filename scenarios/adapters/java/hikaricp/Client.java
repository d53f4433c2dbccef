import com.zaxxer.hikari.HikariDataSource;
import java.io.IOException;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.Collections;
import java.util.List;
import java.util.jar.JarFile;
import org.postgresql.Driver;

/**
 * HikariCP over pgjdbc: a pool of four; a connection goes back to it when it is closed.
 * As in https://github.com/brettwooldridge/HikariCP#rocket-initialization
 */
final class Client implements Adapter.Worker {
    /** Ten seconds for a connection, and six for each of three answers: BEGIN goes with SELECT. */
    private static final int LONGEST_OPERATION_MS = 1000 * (10 + 3 * 6);

    private final HikariDataSource pool;

    private Client(HikariDataSource pool) {
        this.pool = pool;
    }

    @Override
    public Adapter.Answer perform(Adapter.Request request, long asked) {
        try (Connection conn = pool.getConnection()) {
            return Jdbc.perform(conn, request, asked);
        } catch (SQLException error) {
            return Jdbc.failed(request, asked, error);
        }
    }

    @Override
    public void close() {
        pool.close();
    }

    /** Configured this way, the pool starts at the first getConnection, which fails if the database is down. */
    private static HikariDataSource pool(boolean tuned) throws IOException {
        HikariDataSource pool = new HikariDataSource();
        pool.setDriverClassName(Driver.class.getName());
        pool.setJdbcUrl(Jdbc.url());
        pool.setDataSourceProperties(Jdbc.properties(tuned));
        pool.setMaximumPoolSize(Adapter.WORKERS);
        if (tuned) {
            pool.setConnectionTimeout(10_000); // ms that a caller may wait for a connection
            pool.setValidationTimeout(5_000); // ms for the check before a connection is handed out
            pool.setMaxLifetime(60_000); // ms, after which a connection that is not in use is replaced
        }
        return pool;
    }

    /** From the manifest: the library does not report its version. */
    private static String version() throws IOException {
        String jar = HikariDataSource.class.getProtectionDomain().getCodeSource().getLocation().getPath();
        try (JarFile library = new JarFile(jar)) {
            return library.getManifest().getMainAttributes().getValue("Bundle-Version");
        }
    }

    public static void main(String[] arguments) throws Exception {
        boolean tuned = Adapter.isTuned(arguments);
        List<String> capabilities = List.of("transaction", "deadline", "multi_host", "tls");
        Integer timeout = tuned ? LONGEST_OPERATION_MS : null;
        Adapter.hello(new Adapter.Hello("hikaricp", version(), Adapter.WORKERS, capabilities, timeout));
        Client client = new Client(pool(tuned));
        Adapter.serve(Collections.nCopies(Adapter.CALLERS, client), () -> {});
    }
}
