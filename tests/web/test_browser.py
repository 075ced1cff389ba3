"""The whole way in Chromium, on a phone, without JavaScript."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, Page, expect

pytestmark = pytest.mark.browser


def test_find_book_move_and_cancel(page: Page) -> None:
    page.goto("/")
    page.get_by_label("Specialty").select_option("Neurology")
    page.get_by_role("button", name="Show slots").click()
    rows = page.get_by_role("row").filter(has=page.get_by_role("link", name="Book"))
    expect(rows.first).to_contain_text("Neurology")
    rows.first.get_by_role("link", name="Book").click()

    expect(page).to_have_title(re.compile("^Book an appointment"))
    page.get_by_label("Patient number").fill("12")
    page.get_by_label("Reason").fill("Headache")
    page.get_by_role("button", name="Book this appointment").click()
    expect(page.get_by_role("heading", name="Appointment booked")).to_be_visible()
    expect(page.get_by_text("Headache")).to_be_visible()

    page.get_by_role("link", name="See my appointments").click()
    mine = page.get_by_role("region").filter(has_text="Headache")
    expect(mine).to_contain_text("Booked")
    mine.get_by_role("link", name="Change the time").click()
    page.get_by_role("link", name="Choose").nth(1).click()
    expect(page.get_by_role("heading", name="Check the new time")).to_be_visible()
    page.get_by_role("button", name="Change the time").click()
    expect(page.get_by_role("status")).to_contain_text("The appointment is now on")

    mine.get_by_role("link", name="Cancel").click()
    page.get_by_role("button", name="Yes, cancel it").click()
    expect(page.get_by_role("status")).to_contain_text("is cancelled")
    expect(mine).to_contain_text("Cancelled")
    expect(mine.get_by_role("link")).to_have_count(0)


def test_the_error_summary_has_the_focus_and_leads_to_the_field(page: Page) -> None:
    page.goto("/patient")
    page.get_by_label("Patient number").fill("a dozen")
    page.get_by_role("button", name="Show appointments").click()
    expect(page).to_have_title(re.compile("^Error: Choose a patient"))
    expect(page.get_by_role("alert")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Enter a patient number")).to_be_focused()
    page.keyboard.press("Enter")
    field = page.get_by_label("Patient number")
    expect(field).to_be_focused()
    expect(field).to_have_value("a dozen")
    expect(field).to_have_attribute("aria-invalid", "true")


def test_reloading_after_booking_books_nothing(page: Page) -> None:
    page.goto("/slots")
    page.get_by_role("link", name="Book").first.click()
    page.get_by_label("Patient number").fill("13")
    page.get_by_role("button", name="Book this appointment").click()
    reference = page.get_by_text("Your reference is").inner_text()
    page.reload()
    expect(page.get_by_text("Your reference is")).to_have_text(reference)


def test_the_keyboard_can_skip_to_the_content(page: Page) -> None:
    page.goto("/slots")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to main content")).to_be_focused()
    expect(page.get_by_role("link", name="Skip to main content")).to_be_in_viewport()
    page.keyboard.press("Enter")
    expect(page.get_by_role("main")).to_be_focused()


def test_nothing_is_wider_than_a_small_phone(page: Page) -> None:
    page.set_viewport_size({"width": 320, "height": 640})
    for path in ("/slots", "/slots?date=x&clinician=x", "/appointments/1", "/nowhere"):
        page.goto(path)
        assert page.evaluate("document.documentElement.scrollWidth") <= 320, path


def test_targets_are_large(page: Page) -> None:
    page.goto("/slots")
    for target in page.locator("main :is(a, button, input, select), header a").all()[:12]:
        box = target.bounding_box()
        assert box is not None
        assert box["height"] >= 44


def test_the_apis_browser_works_with_its_scripts(chromium: Browser, site: str) -> None:
    context = chromium.new_context(base_url=site)
    page = context.new_page()
    page.goto("/api/docs/")
    expect(page.get_by_role("heading", name="Clinic scheduling")).to_be_visible()
    expect(page.locator(".opblock").first).to_be_visible()
    context.close()
