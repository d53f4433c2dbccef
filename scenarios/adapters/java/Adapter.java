import com.google.gson.Gson;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;

/**
 * The adapter protocol, for clients in Java: requests on stdin, answers on stdout, one JSON object per line.
 * Independent of any library for Postgres. A client consists of workers, and of a listener if it can listen.
 */
final class Adapter {
    static final int WORKERS = 4;

    /** Callers of a pool with one connection per worker: the others wait in the pool. */
    static final int CALLERS = 2 * WORKERS;

    /** Time for operations in progress when stdin ends. */
    private static final long FAREWELL_MS = 1000;

    private static final Gson JSON = new Gson(); // omits null values

    record Hello(
            String name, String version, int concurrency, List<String> capabilities, Integer timeout_ms) {}

    record Request(long id, String op, long key, Long deadline_ms) {}

    record Answer(long id, Boolean ok, Boolean found, Failure error) {}

    /** The library's error of a failed operation. */
    record Failure(String message, String sqlstate, Boolean retryable, String kind) {}

    /** Carries out one operation at a time. */
    interface Worker extends AutoCloseable {
        /** The deadline counts from asked, a System.nanoTime(). */
        Answer perform(Request request, long asked);

        @Override
        default void close() {}
    }

    /** Whether the profile, the last argument, is the tuned one. */
    static boolean isTuned(String[] arguments) {
        return switch (arguments[arguments.length - 1]) {
            case "default" -> false;
            case "tuned" -> true;
            default -> throw new IllegalArgumentException("the last argument must be default or tuned");
        };
    }

    /** Answers requests until stdin ends, then ends the process. Listening begins on request. */
    static void serve(List<? extends Worker> workers, Runnable listen)
            throws IOException, InterruptedException {
        // A bug of the adapter must not look like a hung operation.
        Thread.setDefaultUncaughtExceptionHandler((thread, bug) -> {
            bug.printStackTrace();
            Runtime.getRuntime().halt(1);
        });
        BlockingQueue<Worker> idle = new ArrayBlockingQueue<>(workers.size(), false, workers);
        ExecutorService threads = Executors.newFixedThreadPool(workers.size());
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            long asked = System.nanoTime();
            Request request = JSON.fromJson(line, Request.class);
            if (request.op().equals("listen")) {
                new Thread(listen).start();
                continue;
            }
            Worker worker = idle.take();
            threads.execute(() -> {
                Answer answer = worker.perform(request, asked);
                idle.add(worker);
                say(answer);
            });
        }
        threads.shutdown();
        if (threads.awaitTermination(FAREWELL_MS, TimeUnit.MILLISECONDS)) {
            idle.forEach(Worker::close);
        }
        System.exit(0);
    }

    static void hello(Hello hello) {
        say(Map.of("hello", hello));
    }

    static void listening() {
        say(new Answer(0, true, null, null));
    }

    static void gap() {
        say(Map.of("gap", true));
    }

    static void heard(String payload) {
        say(Map.of("notification", Map.of("payload", payload)));
    }

    private static synchronized void say(Object line) {
        System.out.println(JSON.toJson(line));
        System.out.flush();
    }
}
