package connector

import (
	"context"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"strings"
	"sync"
	"time"
)

// key is a signing key and the channels that it may speak for.
type key struct {
	public       *rsa.PublicKey
	endorsements []string
}

const (
	keysFresh  = 24 * time.Hour   // load fetches older ones anew
	keysMissed = 5 * time.Minute  // between fetches for an unknown key
	keysFailed = 10 * time.Second // between fetches that fail
	maxKeys    = 1 << 20          // bytes of metadata or keys
)

// keys are the identity platform's signing keys, by kid. During an outage known keys stay
// in use, and requests signed by one never wait for a fetch.
type keys struct {
	metadata string
	http     *http.Client
	now      func() time.Time

	fetching chan struct{} // a lock: one caller fetches, the others wait for it

	mu      sync.Mutex // over what follows, never held while fetching
	byID    map[string]key
	fetched time.Time
	tried   time.Time
	lastErr error
}

func newKeys(c Config) *keys {
	return &keys{metadata: c.MetadataURL, http: c.httpClient(), now: c.Now, fetching: make(chan struct{}, 1)}
}

// get gives a key. An unknown one is fetched for, but not for every forged token. The
// error is a *Refused.
func (k *keys) get(ctx context.Context, kid string) (key, error) {
	if found, ok := k.known(kid); ok {
		return found, nil
	}
	err := k.refresh(ctx, kid)
	if found, ok := k.known(kid); ok {
		return found, nil
	}
	if k.empty() {
		return key{}, &Refused{http.StatusServiceUnavailable, fmt.Sprintf("no signing keys: %v", err)}
	}
	return key{}, unauthorized("key %q is not listed", limit(kid, 64))
}

func (k *keys) known(kid string) (key, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	found, ok := k.byID[kid]
	return found, ok
}

func (k *keys) empty() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.byID) == 0
}

// load fetches the keys where they are missing or old.
func (k *keys) load(ctx context.Context) error {
	k.mu.Lock()
	fresh := k.lastErr == nil && len(k.byID) > 0 && k.now().Sub(k.fetched) <= keysFresh
	k.mu.Unlock()
	if fresh {
		return nil
	}
	return k.refresh(ctx, "")
}

// refresh fetches the keys, unless kid has become known or the last try was a moment ago,
// and gives the error of the last try.
func (k *keys) refresh(ctx context.Context, kid string) error {
	select {
	case k.fetching <- struct{}{}:
		defer func() { <-k.fetching }()
	case <-ctx.Done():
		return ctx.Err()
	}
	if !k.begin(kid) {
		k.mu.Lock()
		defer k.mu.Unlock()
		return k.lastErr
	}
	byID, err := k.fetch(ctx)
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.lastErr = err; err == nil {
		k.byID, k.fetched = byID, k.now()
	}
	return err
}

// begin tells whether a fetch for kid is due, and then counts as a try.
func (k *keys) begin(kid string) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	wait := keysMissed
	if k.lastErr != nil {
		wait = keysFailed
	}
	now := k.now()
	if _, ok := k.byID[kid]; ok || !k.tried.IsZero() && now.Sub(k.tried) < wait {
		return false
	}
	k.tried = now
	return true
}

// fetch reads the metadata, and the keys where those say.
func (k *keys) fetch(ctx context.Context) (map[string]key, error) {
	var meta struct {
		JWKS string `json:"jwks_uri"`
	}
	if err := k.read(ctx, k.metadata, &meta); err != nil {
		return nil, fmt.Errorf("metadata: %w", err)
	}
	var set struct {
		Keys []struct {
			Type         string   `json:"kty"`
			ID           string   `json:"kid"`
			N            string   `json:"n"`
			E            string   `json:"e"`
			Endorsements []string `json:"endorsements"`
		} `json:"keys"`
	}
	if err := k.read(ctx, meta.JWKS, &set); err != nil {
		return nil, fmt.Errorf("keys: %w", err)
	}
	byID := map[string]key{}
	for _, j := range set.Keys {
		if public := publicKey(j.N, j.E); j.Type == "RSA" && j.ID != "" && public != nil {
			byID[j.ID] = key{public, j.Endorsements}
		}
	}
	if len(byID) == 0 {
		return nil, errors.New("keys: the list has none that can be used")
	}
	return byID, nil
}

// publicKey reads a key's modulus and exponent, of 2,048 to 8,192 bits and 2 to 31. It is
// nil where they are none or too weak.
func publicKey(modulus, exponent string) *rsa.PublicKey {
	n, err1 := base64.RawURLEncoding.DecodeString(strings.TrimRight(modulus, "="))
	b, err2 := base64.RawURLEncoding.DecodeString(strings.TrimRight(exponent, "="))
	e := new(big.Int).SetBytes(b)
	if err1 != nil || err2 != nil || len(n) < 256 || len(n) > 1024 || !e.IsInt64() || e.Int64() < 3 || e.Int64() > 1<<31-1 {
		return nil
	}
	return &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: int(e.Int64())}
}

func (k *keys) read(ctx context.Context, address string, into any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	if req.URL.Scheme != "https" && !Loopback(req.URL.Hostname()) {
		return fmt.Errorf("%s is not https", limit(address, 100))
	}
	resp, err := k.http.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", limit(address, 100), resp.Status)
	}
	return json.NewDecoder(io.LimitReader(resp.Body, maxKeys)).Decode(into)
}
