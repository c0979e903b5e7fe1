package main

import (
	"fmt"
	"strings"

	"golang.org/x/time/rate"

	"canteen/adapters/slack"
	"canteen/adapters/teams"
	"canteen/bot"
)

// comms are the channels that get every card.
func (s *settings) comms() []bot.Place {
	var list []bot.Place
	if s.slack() && s.Slack.CommsChannel != "" {
		list = append(list, bot.Place("slack:"+s.Slack.CommsChannel))
	}
	if s.teams() && s.Teams.CommsChannel != "" {
		list = append(list, bot.Place("teams:"+s.Teams.CommsChannel))
	}
	return list
}

// onCall are the people and channels that are told of something urgent out of hours.
func (s *settings) onCall() []bot.Place {
	var list []bot.Place
	if s.slack() {
		for _, id := range s.Slack.OnCall {
			list = append(list, bot.Place("slack:"+strings.TrimSpace(id)))
		}
	}
	if s.teams() {
		for _, id := range s.Teams.OnCall {
			list = append(list, bot.Place("teams:"+strings.TrimSpace(id)))
		}
	}
	return list
}

// platforms makes the adapters whose settings are present. It starts none of them.
func (s *settings) platforms(a *app) error {
	if s.slack() {
		x, err := slack.New(slack.Config{
			BotToken: string(s.Slack.BotToken), SigningSecret: string(s.Slack.SigningSecret), AppToken: string(s.Slack.AppToken),
			CommsChannel: s.Slack.CommsChannel, APIURL: s.Slack.APIURL, AskChannels: s.Slack.AskChannels, AnswerPrivately: s.Slack.PrivateAnswers, RefuseGuests: s.Slack.Guests == "refuse", Urgent: s.Slack.Urgent, PublicURL: s.PublicURL,
			Pace: rate.Limit(s.Pace), Bot: a.bot, Log: a.log, Count: a.metrics.request("slack"),
		})
		if err != nil {
			return usageError{fmt.Errorf("slack: %w", err)}
		}
		a.adapters["slack"] = x
	}
	if s.teams() {
		var places teams.Store // none for a doctor beside a canteen that runs
		if a.store != nil {
			places = a.store
		}
		x, err := teams.New(teams.Config{
			AppID: s.Teams.AppID, AppPassword: string(s.Teams.AppPassword), TenantID: s.Teams.TenantID, CommsChannel: s.Teams.CommsChannel, AskChannels: s.Teams.AskChannels,
			LoginURL: s.Teams.LoginURL, OpenIDMetadataURL: s.Teams.MetadataURL, TokenIssuer: s.Teams.Issuer, ServiceHosts: s.Teams.ServiceHosts,
			Tenants: s.Teams.Tenants, Urgent: s.Teams.Urgent, Insecure: s.InsecureTeams, Listen: s.Listen, PublicURL: s.PublicURL,
			Pace: s.Pace, Bot: a.bot, Store: places, Log: a.log, Count: a.metrics.request("teams"),
		})
		if err != nil {
			return usageError{fmt.Errorf("teams: %w", err)}
		}
		a.adapters["teams"] = x
	}
	return nil
}
