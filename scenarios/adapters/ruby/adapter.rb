# frozen_string_literal: true

# The adapter protocol for Ruby: JSON lines on stdin and stdout, four threads, independent of any library.

require "json"

# Each worker has a client of its own: perform(request) returns the fields of the answer besides "ok", or raises;
# describe(error) converts what it raised to an answer's error, or nil if that is a bug; and close.
module Adapter
  WORKERS = 4
  LAST_WORDS = 1.5 # seconds for workers to close; a hung one is abandoned

  @stdout = Mutex.new

  module_function

  def say(line)
    text = "#{JSON.generate(line)}\n"
    @stdout.synchronize do
      $stdout.write(text)
      $stdout.flush
    end
  end

  def serve(hello, client, listener)
    Thread.abort_on_exception = true
    say(hello: hello.merge(concurrency: WORKERS))
    requests = Queue.new
    workers = Array.new(WORKERS) { Thread.new { work(requests, client.new) } }
    $stdin.each_line do |line|
      request = JSON.parse(line, symbolize_names: true)
      request[:op] == "listen" ? Thread.new { listener.new.listen } : requests.push(request)
    end
    requests.close
    last = now + LAST_WORDS
    workers.each { |worker| worker.join([last - now, 0].max) }
    exit!(0)
  end

  def work(requests, client)
    while (request = requests.pop)
      answer =
        begin
          { ok: true, **client.perform(request) }
        rescue StandardError => e
          { error: client.describe(e) || raise }
        end
      say(id: request[:id], **answer)
    end
    client.close
  end

  def now
    Process.clock_gettime(Process::CLOCK_MONOTONIC)
  end
end
