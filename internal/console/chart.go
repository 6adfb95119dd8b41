package console

import (
	"fmt"
	"math"
	"strings"

	"github.com/parley-im/parley/internal/im"
)

// A chart is drawn by the server as SVG: the last hour in chartColumns steps of
// the largest value each, so that no peak disappears.
const (
	chartColumns = 180
	chartWidth   = 360
	chartHeight  = 64
)

// chart is what the template "chart" draws.
type chart struct {
	Lines []string // points of polylines
	Area  string   // below the first
	Max   string   // value at the top
	// Minutes is the time from left to right: an hour, or less after a start.
	Minutes int
}

// spans are the widths of a chart, in minutes.
var spans = []int{5, 10, 15, 30, 60}

// spanOf is the narrowest span that shows all there is of the last hour.
func spanOf(now im.Millis, times []im.Millis) int {
	for _, minutes := range spans {
		if len(times) == 0 || int64(now-times[0]) <= int64(minutes)*60_000 {
			return minutes
		}
	}
	return spans[len(spans)-1]
}

// drawChart draws series of values at the same times, up to now. show writes a
// value.
func drawChart(now im.Millis, times []im.Millis, show func(float64) string, series ...[]float64) chart {
	top := 0.0
	columns := make([][]float64, len(series))
	minutes := spanOf(now, times)
	step := int64(minutes) * 60_000 / chartColumns
	for i, values := range series {
		columns[i] = make([]float64, chartColumns)
		for j := range columns[i] {
			columns[i][j] = math.NaN()
		}
		for j, v := range values {
			at := chartColumns - 1 - int(int64(now-times[j])/step)
			if at < 0 || at >= chartColumns {
				continue
			}
			if old := columns[i][at]; math.IsNaN(old) || v > old {
				columns[i][at] = v
			}
			top = max(top, v)
		}
	}
	c := chart{Max: show(top), Minutes: minutes}
	if top == 0 {
		top = 1
	}
	for i, values := range columns {
		var b strings.Builder
		first, last := -1, 0
		for j, v := range values {
			if math.IsNaN(v) {
				continue
			}
			if first < 0 {
				first = j
			}
			last = j
			fmt.Fprintf(&b, "%d,%.1f ", j*chartWidth/(chartColumns-1), float64(chartHeight-1)-v/top*float64(chartHeight-4))
		}
		line := strings.TrimSpace(b.String())
		c.Lines = append(c.Lines, line)
		if i == 0 && first >= 0 {
			c.Area = fmt.Sprintf("%d,%d %s %d,%d", first*chartWidth/(chartColumns-1), chartHeight, line, last*chartWidth/(chartColumns-1), chartHeight)
		}
	}
	return c
}
