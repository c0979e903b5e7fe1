package main

import (
	"context"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"canteen/bot"
)

// metrics are what /metrics shows. Each says what it means in its help.
type metrics struct {
	registry  *prometheus.Registry
	handled   *prometheus.CounterVec
	handling  *prometheus.HistogramVec
	matching  prometheus.Histogram
	delivered *prometheus.CounterVec
	lag       *prometheus.HistogramVec
	requests  *prometheus.CounterVec
}

// counts are what the store is asked for at each scrape.
type counts interface {
	Counts(ctx context.Context) (bot.Counts, error)
}

func newMetrics(st counts) *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		handled: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "canteen_messages_total",
			Help: "Messages and presses handled, by adapter and by outcome: done, repeat (the platform sent it again) or error (not committed)."}, []string{"adapter", "outcome"}),
		handling: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "canteen_handle_seconds",
			Help: "From a message's arrival to its commit.", Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5}}, []string{"adapter"}),
		matching: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "canteen_match_seconds",
			Help: "Deciding on one question from the folder alone.", Buckets: []float64{.00005, .0001, .00025, .0005, .001, .0025, .005, .01, .05}}),
		delivered: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "canteen_delivery_attempts_total",
			Help: "Settled attempts at a delivery, by adapter and outcome: sent, again (will be tried again), parked (given up, shown on the desk) or diverted."}, []string{"adapter", "outcome"}),
		lag: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "canteen_delivery_lag_seconds",
			Help: "From the making of a delivery to its arrival.", Buckets: []float64{.01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 60, 600, 3600}}, []string{"adapter"}),
	}
	m.requests = prometheus.NewCounterVec(prometheus.CounterOpts{Name: "canteen_requests_total",
		Help: "Requests of a platform by what became of them: ok, repeat, ignored, error, or refused: in Slack as signature, stale, size, body or busy, in Teams as token, right, keys, size or body."}, []string{"adapter", "what"})
	m.registry.MustRegister(m.requests, m.handled, m.handling, m.matching, m.delivered, m.lag, &storeCollector{st},
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

func (m *metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{Timeout: 5 * time.Second})
}

var outcomes = map[bot.Outcome]string{bot.Sent: "sent", bot.Again: "again", bot.Parked: "parked", bot.Diverted: "diverted"}

func (m *metrics) settled(adapter string, o bot.Outcome, lag time.Duration) {
	m.delivered.WithLabelValues(adapter, outcomes[o]).Inc()
	if o == bot.Sent {
		m.lag.WithLabelValues(adapter).Observe(lag.Seconds())
	}
}

// request counts one platform's requests.
func (m *metrics) request(adapter string) func(what string) {
	return func(what string) { m.requests.WithLabelValues(adapter, what).Inc() }
}

// Handled implements bot.Meter.
func (m *metrics) Handled(adapter, outcome string, took time.Duration) {
	m.handled.WithLabelValues(adapter, outcome).Inc()
	m.handling.WithLabelValues(adapter).Observe(took.Seconds())
}

// Matched implements bot.Meter.
func (m *metrics) Matched(took time.Duration) { m.matching.Observe(took.Seconds()) }

// storeCollector makes metrics of the store's counts at each scrape.
type storeCollector struct{ store counts }

var (
	descDecisions = prometheus.NewDesc("canteen_decisions_total", "Questions by what became of them, since the database was made: answer, clarify, escalate, signpost, smalltalk, shown.", []string{"decision"}, nil)
	descFeedback  = prometheus.NewDesc("canteen_feedback_total", "What people pressed about answers: helped, not-meant, ask-comms, none, chose, no-help.", []string{"what"}, nil)
	descWaiting   = prometheus.NewDesc("canteen_escalations_waiting", "Escalations on which comms still have something to do, by how long they have waited at most: 1h, 4h, 1d, 3d, more.", []string{"age"}, nil)
	descQueued    = prometheus.NewDesc("canteen_deliveries_queued", "Deliveries that are not on their platform yet.", nil, nil)
	descParked    = prometheus.NewDesc("canteen_deliveries_parked", "Deliveries that were given up and wait for somebody to press retry on the desk.", nil, nil)
	descOldest    = prometheus.NewDesc("canteen_delivery_oldest_seconds", "Age of the oldest delivery that is not on its platform yet.", nil, nil)
)

func (s *storeCollector) Describe(ch chan<- *prometheus.Desc) { prometheus.DescribeByCollect(s, ch) }

func (s *storeCollector) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	c, err := s.store.Counts(ctx)
	if err != nil {
		ch <- prometheus.NewInvalidMetric(descQueued, err)
		return
	}
	value := func(d *prometheus.Desc, t prometheus.ValueType, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, t, v, labels...)
	}
	for k, n := range c.Decisions {
		value(descDecisions, prometheus.CounterValue, float64(n), string(k))
	}
	for k, n := range c.Feedback {
		value(descFeedback, prometheus.CounterValue, float64(n), string(k))
	}
	for k, n := range c.Waiting {
		value(descWaiting, prometheus.GaugeValue, float64(n), k)
	}
	value(descQueued, prometheus.GaugeValue, float64(c.Queued))
	value(descParked, prometheus.GaugeValue, float64(c.Parked))
	value(descOldest, prometheus.GaugeValue, c.Oldest.Seconds())
}
