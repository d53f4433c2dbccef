# frozen_string_literal: true

# ruby-pg: four threads, each with a connection of its own, and one more that listens.
# Its calls wait in Ruby, so that Timeout can interrupt them: https://deveiate.org/code/pg/PG/Connection.html

require "pg"
require "timeout"
require_relative "adapter"

INSERT = "INSERT INTO pgsquall_ledger (id) VALUES ($1)"
SELECT = "SELECT 1 FROM pgsquall_ledger WHERE id = $1"
LISTEN_PAUSE = 1 # seconds, before it listens again; the documentation names none

TUNED = {
  connect_timeout: 5, # seconds, for each host
  keepalives_idle: 2, # seconds of silence before the first probe
  keepalives_interval: 1, # seconds
  keepalives_count: 3, # probes
  tcp_user_timeout: 5000, # ms that sent bytes may stay unacknowledged
  target_session_attrs: "read-write", # after a failover: never a standby
  options: "-c statement_timeout=5s" # the server's timer
}.freeze

PROFILE_TUNED = ARGV.last == "tuned"

# The library waits in Ruby's IO, and does not wrap its errors.
LIBRARY_ERRORS = [PG::Error, IOError, SystemCallError].freeze

Deadline = Class.new(StandardError)
LATE = "the deadline has passed"

def connect
  PG.connect(ENV.fetch("DATABASE_URL"), PROFILE_TUNED ? TUNED : {})
end

# Performs one operation at a time.
class Client
  KINDS = { "refused" => "refused", "reset by peer" => "reset", "closed" => "closed", "timeout" => "timeout",
            "timed out" => "timeout" }.freeze

  def perform(request)
    deadline_ms = request[:deadline_ms]
    return carry_out(request) unless deadline_ms

    # A class of its own: without one Timeout throws instead of raising, and `transaction` would COMMIT.
    Timeout.timeout(deadline_ms / 1000.0, Deadline, LATE) { carry_out(request) }
  rescue Deadline
    cancel
    raise
  end

  def carry_out(request)
    open_connection
    case request[:op]
    when "read" then return { found: @conn.exec_params(SELECT, [request[:key]]).ntuples.positive? }
    when "write" then @conn.exec_params(INSERT, [request[:key]])
    else
      @conn.transaction do |conn|
        conn.exec("SELECT 1")
        conn.exec_params(INSERT, [request[:key]])
      end
    end
    {}
  end

  # `reset` keeps the address and the password of the first connection; tuned opens a new one.
  def open_connection
    return @conn = connect if @conn.nil? || @conn.finished?
    return if @conn.status == PG::CONNECTION_OK

    if PROFILE_TUNED
      @conn.finish
      @conn = connect
    else
      @conn.reset
    end
  end

  # As `transaction` does when it is interrupted.
  def cancel
    return if @conn.nil? || @conn.finished?

    @conn.cancel if @conn.transaction_status == PG::PQTRANS_ACTIVE
    @conn.discard_results
  end

  def describe(error)
    return { message: error.message, kind: "deadline" } if error.is_a?(Deadline)
    return unless LIBRARY_ERRORS.any? { |library_error| error.is_a?(library_error) }

    sqlstate = error.result&.error_field(PG::PG_DIAG_SQLSTATE) if error.is_a?(PG::Error)
    return { message: error.message, sqlstate: sqlstate } if sqlstate

    { message: error.message, kind: KINDS.find { |words, _| error.message.include?(words) }&.last }.compact
  end

  def close
    @conn.finish unless @conn.nil? || @conn.finished?
  end
end

# Listens until the process ends, on a connection of its own.
class Listener
  def listen
    loop do
      subscribe { |payload| Adapter.say(notification: { payload: payload }) }
    rescue *LIBRARY_ERRORS => e
      warn "not listening: #{e.message}"
      sleep LISTEN_PAUSE
    end
  end

  def subscribe
    conn = connect
    conn.exec("LISTEN pgsquall_news")
    Adapter.say(@before ? { gap: true } : { id: 0, ok: true })
    @before = true
    loop { conn.wait_for_notify { |_channel, _pid, payload| yield payload } }
  ensure
    conn&.finish
  end
end

capabilities = %w[transaction listen deadline multi_host tls]
Adapter.serve({ name: "ruby-pg", version: PG::VERSION, capabilities: capabilities }, Client, Listener)
