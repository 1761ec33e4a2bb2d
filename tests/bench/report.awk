# report.awk CASES SAMPLES: the table of times, lower quartiles, and of rates, medians, with their ratios as markdown on standard output, the same as JSON in the file
# `json` and for the chart in `data`. Exit status 1 when a case failed natively or on ws2host.

function sort(list, n,    i, j, t) {
    for (i = 2; i <= n; i++)
        for (j = i; j > 1 && list[j - 1] > list[j]; j--) { t = list[j]; list[j] = list[j - 1]; list[j - 1] = t }
}

# what else the machine does makes a time longer, never shorter
function quartile(list, n) {
    sort(list, n)
    return list[int((n + 3) / 4)]
}

function median(list, n) {
    sort(list, n)
    return n % 2 ? list[(n + 1) / 2] : (list[n / 2] + list[n / 2 + 1]) / 2
}

# three digits, and no more than needed
function digits(x) {
    return x == "" ? "-" : x >= 100 ? sprintf("%.0f", x) : x >= 10 ? sprintf("%.1f", x) : sprintf("%.2f", x)
}

function number(x) { return x == "" ? "null" : sprintf("%.6g", x) }

FNR == NR {
    if ($1 == "" || $1 ~ /^#/) next
    order[++cases] = $1; unit[$1] = $2; most[$1] = $3; least[$1] = $4
    text = $0; for (i = 1; i <= 4; i++) sub(/^[^ ]+ +/, "", text)
    title[$1] = text
    next
}
$3 == "error" { failure[$1, $2] = $4; next }
{ sample[$1, $2, ++count[$1, $2]] = $3 }

END {
    split("native ws2host builtin", who, " ")
    printf "%s; lower quartiles (of up to four the least) of %d rounds, natively and on ws2host of three times as many, a third as long.\n\n", machine, rounds
    print "| case | native | ws2host | builtin | ws2host / native | limit | builtin / ws2host | limit |"
    print "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
    printf "{\"machine\": \"%s\", \"rounds\": %d, \"cases\": [", machine, rounds > json
    for (c = 1; c <= cases; c++) {
        name = order[c]
        shown = 0
        for (w = 1; w <= 3; w++) {
            n = count[name, who[w]]
            value[w] = ""
            if (n) {
                for (i = 1; i <= n; i++) list[i] = sample[name, who[w], i]
                scale = unit[name] == "us" ? 1000 : unit[name] == "ms" ? 1000000 : 1
                value[w] = (unit[name] ~ /^[um]s$/ ? quartile(list, n) : median(list, n)) / scale
            }
            if (n || (name, who[w]) in failure) shown = 1
        }
        if (!shown) continue
        if ((name, "native") in failure || (name, "ws2host") in failure) failed = 1
        faster = unit[name] !~ /^[um]s$/   # a rate: more is better
        to_native = to_builtin = ""
        if (value[1] != "" && value[2]) to_native = faster ? value[1] / value[2] : value[2] / value[1]
        if (value[3] != "" && value[2]) to_builtin = faster ? value[2] / value[3] : value[3] / value[2]
        met_native = most[name] == "-" || (to_native != "" && to_native <= most[name])
        met_builtin = least[name] == "-" || (to_builtin != "" && to_builtin >= least[name])
        label = title[name] (unit[name] == "us" ? ", µs" : unit[name] == "ms" ? ", ms" : ", per second")
        printf "| %s | %s | %s | %s | %s%s | %s | %s%s | %s |\n", label, digits(value[1]),
            (name, "ws2host") in failure ? "error " failure[name, "ws2host"] : digits(value[2]),
            (name, "builtin") in failure ? "error " failure[name, "builtin"] : digits(value[3]),
            digits(to_native), met_native ? "" : " (missed)", most[name] == "-" ? "-" : "≤ " most[name],
            digits(to_builtin), met_builtin ? "" : " (missed)", least[name] == "-" ? "-" : "≥ " least[name]
        printf "%s\n {\"case\": \"%s\", \"title\": \"%s\", \"unit\": \"%s\", \"native\": %s, \"ws2host\": %s, \"builtin\": %s, " \
            "\"ws2host_to_native\": %s, \"limit_native\": %s, \"builtin_to_ws2host\": %s, \"limit_builtin\": %s, \"met\": %s}",
            printed++ ? "," : "", name, title[name], unit[name], number(value[1]), number(value[2]), number(value[3]),
            number(to_native), number(most[name] == "-" ? "" : most[name]), number(to_builtin),
            number(least[name] == "-" ? "" : least[name]), met_native && met_builtin ? "true" : "false" > json
        # the chart shows costs as multiples of the native program's
        if (to_native != "") printf "%s\t%g\t%g\n", name, to_native, to_builtin == "" ? 0 : to_native * to_builtin > data
    }
    print "\n]}" > json
    close(json); close(data)
    exit failed
}
