"""Onboarding: from the first click of an applicant to an account that can trade."""
