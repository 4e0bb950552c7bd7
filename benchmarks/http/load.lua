-- wrk's side: sends the bytes of a file as they are, and prints the result as JSON.
-- wrk ... -- FILE: what goes out in one write, one request or several.

function init(args)
  local file = assert(io.open(args[1], "rb"))
  local bytes = file:read("*a")
  file:close()
  -- Instead of a function request(): with that wrk would call into Lua for each write.
  wrk.format = function()
    return bytes
  end
end

function done(summary, latency, requests)
  local errors = summary.errors
  print(string.format(
    '{"requests": %d, "bytes": %.0f, "seconds": %.6f, "p50_us": %d, "p99_us": %d, "errors": '
      .. '{"connect": %d, "read": %d, "write": %d, "status": %d, "timeout": %d}}',
    summary.requests, summary.bytes, summary.duration / 1e6, latency:percentile(50),
    latency:percentile(99), errors.connect, errors.read, errors.write, errors.status,
    errors.timeout))
end
