! Scores environments from their features, and a structure if the model describes structures:
!   score model.lpr
program score
    use lpr_fast
    use, intrinsic :: iso_fortran_env, only: error_unit, real64
    implicit none

    character(4096) :: path
    type(lpr_fast_model) :: model

    call get_command_argument(1, path)
    call check(lpr_fast_load(path, model))
    call score_features()
    if (lpr_fast_cutoff(model) > 0) call score_structure()  ! NaN is not
    call lpr_fast_free(model)

contains

    subroutine check(status)
        integer, intent(in) :: status
        if (status == LPR_FAST_OK) return
        write (error_unit, "(a)") lpr_fast_last_error()
        stop 1, quiet=.true.
    end subroutine

    subroutine score_features()
        real(real64), allocatable :: features(:, :)  ! a column for each environment
        integer :: species(2)
        real(real64) :: lpr(2), variance(2)
        allocate (features(lpr_fast_n_features(model), 2))
        features(:, 1) = 1
        features(:, 2) = 0
        features(1, 2) = 1
        species = lpr_fast_species(model, 1)
        call check(lpr_fast_score(model, features, species, lpr, variance=variance))
        print "(es24.16)", lpr
    end subroutine

    subroutine score_structure()
        real(real64), parameter :: cell(3, 3) = reshape([5.5, 0.0, 0.0, 0.0, 5.5, 0.0, 0.0, 0.0, 5.5], [3, 3])
        real(real64), parameter :: positions(3, 4) = &
            reshape([0.0, 0.0, 0.0, 1.25, 1.5, 1.25, 0.0, 2.75, 2.5, 2.5, 0.25, 2.75], [3, 4])
        integer :: species(4)
        real(real64) :: lpr(4)
        species = lpr_fast_species(model, 1)
        call check(lpr_fast_score_structure(model, positions, species, lpr, cell=cell, &
                                            periodic=[.true., .true., .true.]))
        print "(es24.16)", lpr
    end subroutine

end program
