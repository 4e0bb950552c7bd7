-- wrk's side: how many requests go out in one write (wrk ... -- DEPTH), and the result as JSON.

function init(args)
  local depth = tonumber(args[1] or "1")
  if depth > 1 then
    local batch = string.rep(wrk.format(), depth)
    -- Defined only when needed: without it wrk never calls into Lua while it measures.
    request = function()
      return batch
    end
  end
end

function done(summary, latency, requests)
  local errors = summary.errors
  print(string.format(
    '{"requests": %d, "seconds": %.6f, "p50_us": %d, "p99_us": %d, "errors": '
      .. '{"connect": %d, "read": %d, "write": %d, "status": %d, "timeout": %d}}',
    summary.requests, summary.duration / 1e6, latency:percentile(50), latency:percentile(99),
    errors.connect, errors.read, errors.write, errors.status, errors.timeout))
end
