module @jit__lambda attributes {mhlo.num_partitions = 1 : i32, mhlo.num_replicas = 1 : i32} {
  func.func public @main(%arg0: tensor<4x8xf32>) -> (tensor<4x8xf32> {jax.result_info = "result[0]"}, tensor<4x8xf32> {jax.result_info = "result[1]"}, tensor<4x8xf32> {jax.result_info = "result[2]"}, tensor<4x8xf32> {jax.result_info = "result[3]"}, tensor<4x8xf32> {jax.result_info = "result[4]"}, tensor<4x8xf32> {jax.result_info = "result[5]"}, tensor<4x8xf32> {jax.result_info = "result[6]"}, tensor<4x8xf32> {jax.result_info = "result[7]"}, tensor<4x8xf32> {jax.result_info = "result[8]"}, tensor<4x8xf32> {jax.result_info = "result[9]"}, tensor<4x8xf32> {jax.result_info = "result[10]"}, tensor<4x8xf32> {jax.result_info = "result[11]"}, tensor<4x8xf32> {jax.result_info = "result[12]"}, tensor<4x8xf32> {jax.result_info = "result[13]"}, tensor<4x8xi1> {jax.result_info = "result[14]"}, tensor<4x8xf32> {jax.result_info = "result[15]"}, tensor<4x8xf32> {jax.result_info = "result[16]"}, tensor<4x8xf32> {jax.result_info = "result[17]"}, tensor<4x8xf32> {jax.result_info = "result[18]"}, tensor<4x8xf32> {jax.result_info = "result[19]"}, tensor<4x8xf32> {jax.result_info = "result[20]"}) {
    %0 = stablehlo.negate %arg0 : tensor<4x8xf32>
    %1 = stablehlo.sign %arg0 : tensor<4x8xf32>
    %2 = stablehlo.exponential %arg0 : tensor<4x8xf32>
    %3 = stablehlo.abs %arg0 : tensor<4x8xf32>
    %4 = stablehlo.log %3 : tensor<4x8xf32>
    %5 = stablehlo.abs %arg0 : tensor<4x8xf32>
    %6 = stablehlo.sqrt %5 : tensor<4x8xf32>
    %7 = stablehlo.abs %arg0 : tensor<4x8xf32>
    %8 = stablehlo.rsqrt %7 : tensor<4x8xf32>
    %9 = stablehlo.sine %arg0 : tensor<4x8xf32>
    %10 = stablehlo.cosine %arg0 : tensor<4x8xf32>
    %11 = stablehlo.tanh %arg0 : tensor<4x8xf32>
    %12 = stablehlo.negate %arg0 : tensor<4x8xf32>
    %13 = stablehlo.exponential %12 : tensor<4x8xf32>
    %cst = stablehlo.constant dense<1.000000e+00> : tensor<f32>
    %14 = stablehlo.broadcast_in_dim %cst, dims = [] : (tensor<f32>) -> tensor<4x8xf32>
    %15 = stablehlo.add %14, %13 : tensor<4x8xf32>
    %cst_0 = stablehlo.constant dense<1.000000e+00> : tensor<f32>
    %16 = stablehlo.broadcast_in_dim %cst_0, dims = [] : (tensor<f32>) -> tensor<4x8xf32>
    %17 = stablehlo.divide %16, %15 : tensor<4x8xf32>
    %cst_1 = stablehlo.constant dense<3.000000e+00> : tensor<f32>
    %18 = stablehlo.broadcast_in_dim %cst_1, dims = [] : (tensor<f32>) -> tensor<4x8xf32>
    %19 = stablehlo.multiply %arg0, %18 : tensor<4x8xf32>
    %20 = stablehlo.floor %19 : tensor<4x8xf32>
    %cst_2 = stablehlo.constant dense<3.000000e+00> : tensor<f32>
    %21 = stablehlo.broadcast_in_dim %cst_2, dims = [] : (tensor<f32>) -> tensor<4x8xf32>
    %22 = stablehlo.multiply %arg0, %21 : tensor<4x8xf32>
    %23 = stablehlo.ceil %22 : tensor<4x8xf32>
    %cst_3 = stablehlo.constant dense<3.000000e+00> : tensor<f32>
    %24 = stablehlo.broadcast_in_dim %cst_3, dims = [] : (tensor<f32>) -> tensor<4x8xf32>
    %25 = stablehlo.multiply %arg0, %24 : tensor<4x8xf32>
    %26 = call @round(%25) : (tensor<4x8xf32>) -> tensor<4x8xf32>
    %cst_4 = stablehlo.constant dense<3.000000e+00> : tensor<f32>
    %27 = stablehlo.broadcast_in_dim %cst_4, dims = [] : (tensor<f32>) -> tensor<4x8xf32>
    %28 = stablehlo.multiply %arg0, %27 : tensor<4x8xf32>
    %29 = stablehlo.round_nearest_afz %28 : tensor<4x8xf32>
    %30 = stablehlo.is_finite %arg0 : (tensor<4x8xf32>) -> tensor<4x8xi1>
    %31 = stablehlo.exponential_minus_one %arg0 : tensor<4x8xf32>
    %32 = stablehlo.abs %arg0 : tensor<4x8xf32>
    %33 = stablehlo.log_plus_one %32 : tensor<4x8xf32>
    %34 = stablehlo.abs %arg0 : tensor<4x8xf32>
    %35 = chlo.erf %arg0 : tensor<4x8xf32> -> tensor<4x8xf32>
    %36 = stablehlo.cbrt %arg0 : tensor<4x8xf32>
    %37 = stablehlo.tan %arg0 : tensor<4x8xf32>
    return %0, %1, %2, %4, %6, %8, %9, %10, %11, %17, %20, %23, %26, %29, %30, %31, %33, %34, %35, %36, %37 : tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xi1>, tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>
  }
  func.func private @round(%arg0: tensor<4x8xf32>) -> tensor<4x8xf32> {
    %0 = stablehlo.round_nearest_even %arg0 : tensor<4x8xf32>
    return %0 : tensor<4x8xf32>
  }
}
