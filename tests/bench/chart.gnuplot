# Costs as multiples of the native program's, logarithmic: variables `data` and `output`.
set terminal svg size 1000,560 background '#ffffff' font 'sans-serif,12'
set output output
set title 'Cost as a multiple of the native program (less is better)'
set style data histogram
set style histogram clustered gap 1
set style fill solid noborder
set boxwidth 0.9
set logscale y
set yrange [0.1:*]
set grid ytics linecolor rgb '#d0d0d0'
set xtics rotate by -40 nomirror
set key top left
plot data using 2:xticlabels(1) title 'ws2host' linecolor rgb '#2f6fb3', \
     '' using 3 title 'Wine builtin' linecolor rgb '#c0562f', \
     1 title 'native' with lines linecolor rgb '#404040'
